// Absence codes: one keystroke away, never beside a value, always taken back by one press.
import { absence, announce, answers, button, controls, fill, focus, isBlank, isGroup, isShown,
  itemOf, itemsIn, note, put, shown, words } from "./items.js";
import { next } from "./keys.js";

const TYPED = { ".nd": "not_done", ".uk": "unknown", ".na": "not_applicable", ".rf": "refused",
  ".as": "not_assessable" };
const former = new WeakMap(); // item → the answers that its code replaced
const atFocus = new WeakMap(); // box → its text when it got the focus
let coding = false;

const inWords = (select) => select.selectedOptions[0].textContent;
const typedCode = (text) => TYPED[text.normalize("NFKC").trim().toLowerCase()];

/** Do what a typed code asks: `.nd` codes the item and moves on, `..nd` every blank of its
 * column. Says whether it was one. */
export function codeTyped(item, text) {
  const rest = text.startsWith("..") && item.closest(".leg")?.querySelector(".rest");
  const value = absence(item) && typedCode(rest ? text.slice(1) : text);
  if (!value) return false;
  if (rest) {
    fillRest(rest, value);
  } else {
    code(item, value);
    next(item);
  }
  return true;
}

/** Put an absence code in the place of an item's answer. */
export function code(item, value) {
  absence(item).value = value;
  announce(absence(item));
}

/** Take an item's code back, and bring back the answer it replaced. */
export function uncode(item) {
  const values = former.get(item) ?? [];
  absence(item).value = "";
  former.delete(item);
  announce(absence(item));
  if (values.length) put(item, values);
  note(item, "");
}

/** Show whether an item is coded: the words in grey in its box, and an undo. */
export function showCode(item) {
  const select = absence(item);
  if (!select) return;
  const holder = select.closest(".absent");
  const coded = select.value !== "";
  holder.classList.toggle("coded", coded);
  if (!isGroup(item)) controls(item)[0].placeholder = coded ? inWords(select) : "";
  holder.querySelector(".undo")?.remove();
  if (!coded) return;
  holder.append(
    button(words.undo, "undo", () => {
      uncode(item);
      focus(item);
    }),
  );
}

function coded(item) {
  const select = absence(item);
  const going = answers(item);
  if (select.value && going.length) {
    former.set(item, going);
    const said = fill(words.goes, { value: shown(item), words: inWords(select) });
    coding = true;
    put(item, []);
    coding = false;
    note(item, said);
  } else if (!select.value) {
    note(item, "");
  }
  showCode(item);
}

function answered(item) {
  const select = absence(item);
  if (coding || !select?.value || !answers(item).length) return;
  note(item, fill(words.cleared, { words: inWords(select) }));
  former.delete(item);
  select.value = "";
  showCode(item);
}

function typedInto(item, box) {
  const text = box.value;
  const before = atFocus.get(box) ?? "";
  if (text.startsWith(".")) box.value = before.startsWith(".") ? "" : before;
  if (codeTyped(item, text)) return;
  box.value = text;
  answered(item);
}

// -- the rest of a column -------------------------------------------------------------------------

function fillRest(rest, value) {
  const select = rest.querySelector("select");
  select.value = value;
  if (!value) return select.focus();
  const column = rest.closest(".leg");
  const blanks = itemsIn(column).filter((one) => isShown(one) && absence(one) && isBlank(one));
  for (const item of blanks) code(item, value);
  const names = blanks.map((item) => item.dataset.name.split("-").pop());
  remember(rest, names, blanks.length, inWords(select));
}

function undoRest(rest) {
  const filled = rest.querySelector("input[type=hidden]").value.split(" ");
  for (const item of itemsIn(rest.closest(".leg")))
    if (filled.includes(item.dataset.name.split("-").pop()) && absence(item)?.value) uncode(item);
  remember(rest, [], 0, "");
}

function remember(rest, names, count, code_words) {
  const hidden = rest.querySelector("input[type=hidden]");
  hidden.value = names.join(" ");
  announce(hidden);
  const text = count === 1 ? words.restOne : words.rest;
  const said = rest.querySelector("[data-rest-said]");
  said.textContent = names.length || code_words ? fill(text, { count, words: code_words }) : "";
  const undo = rest.querySelector("[data-rest-undo]");
  undo.hidden = !names.length;
  if (names.length) undo.focus();
}

export function start() {
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches("input[type=text], textarea")) atFocus.set(target, target.value);
  });
  document.addEventListener("input", (event) => {
    const item = itemOf(event.target);
    if (item && !event.isComposing && controls(item).includes(event.target)) {
      if (isGroup(item) || event.target.tagName === "SELECT") answered(item);
      else typedInto(item, event.target);
    }
  });
  document.addEventListener("change", ({ target }) => {
    const item = itemOf(target);
    if (item && target === absence(item)) coded(item);
  });
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("[data-rest], [data-rest-undo]");
    if (!pressed) return;
    event.preventDefault();
    const rest = pressed.closest(".rest");
    if (pressed.hasAttribute("data-rest")) fillRest(rest, rest.querySelector("select").value);
    else undoRest(rest);
  });
}

export function prepareForm(form) {
  const typed = Object.keys(TYPED).map((code) => `.${code}`).join(" ");
  for (const select of form.querySelectorAll(".rest select")) select.title = typed;
}

export function prepare(item) {
  const select = absence(item);
  if (!select) return;
  select.tabIndex = -1; // its keys are typed into the box: .nd .uk .na .rf .as
  select.title = words.noAnswer;
  showCode(item);
}
