// Pages work without this script; it brings what went wrong into view, and lets a hidden page rest.
document.querySelector(".problems")?.focus();

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[data-while-visible]")) event.preventDefault();
});
