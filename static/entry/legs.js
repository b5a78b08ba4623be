// "Same as right leg": the left leg's blanks answered as the right, each to be confirmed.
import { absence, announce, answers, button, controls, isBlank, itemOf, itemsIn, put, unit, units,
  words } from "./items.js";
import { code } from "./absence.js";

let copying = false;

function copy(form) {
  for (const item of itemsIn(form.querySelector(".leg.left"))) {
    const name = item.dataset.name.replace("-left-", "-right-");
    const right = form.querySelector(`.item[data-name="${name}"]`);
    if (!right || !isBlank(item) || isBlank(right)) continue;
    for (const radio of units(item)) radio.checked = radio.value === unit(right);
    if (answers(right).length) put(item, answers(right));
    else code(item, absence(right).value);
    mark(item);
  }
}

function mark(item) {
  const line = document.createElement("p");
  line.className = "copied";
  const label = document.createElement("label");
  const box = document.createElement("input");
  Object.assign(box, { type: "checkbox", name: `${item.dataset.name}__copied`, checked: true });
  label.append(box, ` ${words.copied}`);
  line.append(label);
  item.append(line);
  offerConfirm(item);
}

function offerConfirm(item) {
  const line = item.querySelector(":scope > .copied");
  if (!line || line.querySelector("button")) return;
  line.append(" ", button(words.confirm, "undo", () => confirm(item)));
}

function confirm(item) {
  const line = item.querySelector(":scope > .copied");
  if (!line) return;
  line.remove();
  announce(controls(item)[0]);
  showConfirmAll(item.closest("form"));
}

function showConfirmAll(form) {
  const place = form.querySelector(".copy");
  if (!place) return;
  place.querySelector(".confirm-all")?.remove();
  const copied = itemsIn(form).filter((item) => item.querySelector(":scope > .copied"));
  if (copied.length)
    place.append(
      " ",
      button(words.confirmAll, "btn btn-sm btn-outline-secondary confirm-all", () =>
        copied.forEach(confirm),
      ),
    );
}

export function start() {
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("[data-copy]");
    if (!pressed) return;
    event.preventDefault();
    copying = true;
    copy(pressed.form);
    copying = false;
    showConfirmAll(pressed.form);
  });
  document.addEventListener("change", ({ target }) => {
    const item = itemOf(target);
    if (item && !copying && item.querySelector(":scope > .copied")) confirm(item);
  });
}

export function prepareForm(form) {
  for (const item of itemsIn(form)) offerConfirm(item);
  showConfirmAll(form);
}
