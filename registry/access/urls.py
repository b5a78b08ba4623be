from allauth.account import views as accounts
from django.urls import include, path, re_path

from . import session, views

# The pages of allauth that exist here: sign-up only says that it is closed, and nobody changes an
# address by themselves.
ACCOUNT_PAGES = [
    path("login/", accounts.login, name="account_login"),
    path("logout/", accounts.logout, name="account_logout"),
    path("signup/", accounts.signup, name="account_signup"),
    path("inactive/", accounts.account_inactive, name="account_inactive"),
    path("password/change/", accounts.password_change, name="account_change_password"),
    path("password/reset/", accounts.password_reset, name="account_reset_password"),
    path("password/reset/done/", accounts.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/done/",
        accounts.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        accounts.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]

urlpatterns = [
    path("accounts/", include(ACCOUNT_PAGES)),
    path("accounts/session/", session.session_state, name="session"),
    path("users/", views.users, name="users"),
    path("users/new/", views.new_user, name="user_new"),
    path("users/<int:pk>/", views.user, name="user"),
    path("users/<int:pk>/roles/", views.add_role, name="user_role_add"),
    path("users/<int:pk>/roles/<int:role>/remove/", views.remove_role, name="user_role_remove"),
    path("users/<int:pk>/password-mail/", views.mail_password_link, name="user_password_mail"),
    path("sites/", views.sites, name="sites"),
    path("sites/new/", views.new_site, name="site_new"),
    path("sites/<int:pk>/", views.site, name="site"),
    path("language/", views.language, name="language"),
    path("tokens/", views.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke/", views.revoke_token, name="token_revoke"),
]
