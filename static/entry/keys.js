// A whole visit without the mouse: Enter, digits, codes, clearing and saving by key.
import { absence, announce, answers, button, controls, focus, isBlank, isGroup, isShown, itemOf,
  itemsIn, label, put, stands, words } from "./items.js";
import { codeTyped } from "./absence.js";

let pressed = ""; // the beginning of an absence code, pressed on a group
let sought = ""; // the beginning of an answer's words, typed on a long list of boxes
let soughtAt = 0;

/** Move on to the item after this one, or to what saves the form; what stands as proposed is
 * passed by. */
export function next(item) {
  if (document.querySelector("dialog[open]")) return;
  const form = item.closest("form");
  const all = itemsIn(form).filter(isShown);
  const after = all.slice(all.indexOf(item) + 1).find((one) => !stands(one));
  if (after) focus(after);
  else saves(form)?.focus();
}

const saves = (form) =>
  form.querySelector("button[value=complete]") ?? form.querySelector(".actions button");

/** Begin with what is blank in a section. */
function begin(section) {
  const all = itemsIn(section).filter(isShown);
  const first = all.find(isBlank) ?? all[0];
  if (first) focus(first);
}

/** In a long list of boxes, letters find an answer as they do in a menu; Space ticks it. */
function find(item, key) {
  const begins = (text) =>
    controls(item).find((one) => one.closest("label").textContent.trim().toLowerCase().startsWith(text));
  const letters = (Date.now() - soughtAt < 1000 ? sought : "") + key.toLowerCase();
  sought = begins(letters) ? letters : key.toLowerCase();
  soughtAt = Date.now();
  begins(sought)?.focus();
}

/** Show "Clear answer" beside a group of radios once it is answered. */
export function showClear(item) {
  const answered = controls(item)[0]?.type === "radio" && answers(item).length > 0;
  const there = item.querySelector(".clear");
  if (!answered) there?.remove();
  else if (!there) {
    const clear = button("×", "clear", () => {
      put(item, []);
      focus(item);
    });
    clear.title = words.clear;
    clear.setAttribute("aria-label", `${words.clear}: ${label(item)}`);
    clear.tabIndex = -1; // its key is Delete
    item.querySelector(".control").append(clear);
  }
}

function save(event, target) {
  const form = target.closest("form:has(.item[data-name])") ?? document.querySelector("form[data-visit]");
  if (!form) return;
  event.preventDefault();
  form.querySelector("button[name=action][value=draft]")?.click();
}

function onGroup(event, item) {
  const { key } = event;
  if (key === "." && absence(item) && pressed.length < 2) pressed += ".";
  else if (pressed) {
    pressed += key;
    if (codeTyped(item, pressed) || pressed.length > 3) pressed = "";
  } else if (/^\d$/.test(key)) {
    const chosen = controls(item).find((one) => one.dataset.key === key);
    if (!chosen) return;
    chosen.checked = chosen.type === "radio" || !chosen.checked;
    announce(chosen);
    if (chosen.type === "radio") next(item);
    else chosen.focus();
  } else if (/^\p{L}$/u.test(key) && controls(item)[0].type === "checkbox") {
    find(item, key);
  } else if ((key === "Delete" || key === "Backspace") && answers(item).length) put(item, []);
  else return;
  event.preventDefault();
}

function down(event) {
  const { target, key } = event;
  if (event.isComposing || event.keyCode === 229 || !target.closest) return; // an IME has the key
  const command = event.ctrlKey || event.metaKey || event.altKey;
  if (command && key.toLowerCase() === "s") return save(event, target);
  if (command) return;
  const item = itemOf(target);
  if (key === "Enter" && target.matches(".section h2")) {
    event.preventDefault();
    return begin(target.closest(".section"));
  }
  if (key === "Enter" && target.matches("input, select")) {
    const form = target.closest("form:has(.item[data-name])");
    if (!form || target.type === "submit") return;
    event.preventDefault();
    if (item) next(item);
    return;
  }
  if (item && isGroup(item) && controls(item).includes(target)) onGroup(event, item);
}

export function start() {
  document.addEventListener("keydown", down);
  document.addEventListener("focusin", () => (pressed = ""));
  document.addEventListener("change", ({ target }) => {
    const item = itemOf(target);
    if (item) showClear(item);
  });
}

export const prepare = showClear;
