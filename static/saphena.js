// Pages work without this script; it only brings what went wrong into view.
document.querySelector(".problems")?.focus();
