// The session under a person's hands: says with each request whether somebody is at the keyboard,
// warns two minutes before the end, and asks the password over the page once it is over.

const RECENT_MS = 60_000;
const WARN_S = 120;
const ends = document.querySelector("#session-ends");
const template = document.querySelector("#sign-in-again");
const idleSeconds = Number(ends.dataset.seconds);

let touched = Date.now(); // somebody opened this page
let reported = Date.now();
let check;
let again = null; // the dialog that asks the password, while it does
let caret = null; // where one was typing then

const csrf = () => document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";
const active = () => Date.now() - touched < RECENT_MS;

// Every request of our scripts goes through here. The CSRF token is read when it is sent: another
// tab may have signed in since this page was made.
async function send(url, options = {}) {
  const human = active();
  const headers = { Accept: "application/json", "X-CSRFToken": csrf(), "Saphena-Active": human ? "1" : "0" };
  const response = await fetch(url, { ...options, headers: { ...headers, ...options.headers } });
  if (response.status === 401) askPassword();
  else if (human) extended(idleSeconds);
  return response;
}
window.saphena = { send };

// -- activity and the warning ----------------------------------------------------------------

function extended(seconds) {
  reported = Date.now();
  clearTimeout(check);
  // The server writes activity down once a minute, hence the minute less.
  check = setTimeout(ask, Math.max(seconds - WARN_S - RECENT_MS / 1000, 1) * 1000);
}

async function ask() {
  const response = await send(ends.dataset.url).catch(() => null);
  if (!response?.ok) return;
  const { seconds } = await response.json();
  if (seconds > WARN_S + RECENT_MS / 1000) {
    ends.close();
    extended(seconds);
  } else {
    if (seconds <= WARN_S && !ends.open) ends.showModal();
    check = setTimeout(ask, Math.max(seconds <= WARN_S ? seconds + 1 : seconds - WARN_S, 1) * 1000);
  }
}

for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
  addEventListener(kind, () => {
    if (again || (ends.open && kind === "pointermove")) return;
    touched = Date.now();
    if (touched - reported > RECENT_MS) {
      reported = touched;
      send(ends.dataset.url).catch(() => {});
    }
  }, { passive: true, capture: true });
}
ends.addEventListener("close", () => {
  touched = Date.now();
  send(ends.dataset.url).catch(() => {});
});
extended(idleSeconds);

// -- signing in again --------------------------------------------------------------------------

function askPassword() {
  if (again) return;
  if (ends.open) ends.close();
  const { activeElement: box } = document;
  caret = box?.selectionStart == null ? null : [box, box.selectionStart, box.selectionEnd];
  again = template.content.firstElementChild.cloneNode(true);
  document.body.append(again);
  again.addEventListener("cancel", (event) => event.preventDefault());
  again.querySelector("form").addEventListener("submit", signIn);
  again.showModal();
  again.querySelector("[name=password]").focus();
}

async function signIn(event) {
  event.preventDefault();
  const form = event.target;
  const says = form.querySelector(".errors");
  says.textContent = "";
  try {
    if (!csrf()) await fetch(form.action);
    const response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "application/json", "X-Requested-With": "XMLHttpRequest", "X-CSRFToken": csrf() },
    });
    if (!response.ok) {
      const answer = response.status === 400 ? await response.json() : {};
      says.textContent = answer.form?.errors?.[0] ?? answer.form?.fields?.password?.errors?.[0] ?? says.dataset.refused;
      form.elements.password.select();
      return;
    }
  } catch {
    says.textContent = says.dataset.offline;
    return;
  }
  again.close(); // gives the focus back to where one typed
  if (caret) caret[0].setSelectionRange(caret[1], caret[2]);
  again.remove();
  again = null;
  touched = Date.now();
  extended(idleSeconds);
  document.dispatchEvent(new CustomEvent("saphena:signed-in"));
}

// -- what htmx and plain forms send -------------------------------------------------------------

document.addEventListener("htmx:configRequest", (event) => {
  const polls = event.detail.elt.getAttribute("hx-trigger")?.includes("every");
  event.detail.headers["X-CSRFToken"] = csrf();
  event.detail.headers["Saphena-Active"] = active() && !polls ? "1" : "0";
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) askPassword();
});
document.addEventListener("submit", (event) => {
  const token = event.target.elements?.csrfmiddlewaretoken;
  if (token && csrf()) token.value = csrf();
}, { capture: true });
