// What was typed, read back by the server's own reader; units and days in one press.
import { announce, ask, button, controls, fill, itemOf, note, unit, units, words } from "./items.js";

const READ = ["date", "partial_date", "number", "year"];
const lastUnit = new WeakMap(); // item → the unit its number was typed in
const lastText = new WeakMap(); // box → the text and unit read back last

const box = (item) => controls(item).find((one) => READ.includes(one.dataset.kind));

async function read(item, more = {}) {
  const one = box(item);
  const form = one.form;
  const body = new URLSearchParams({ name: one.name, kind: one.dataset.kind, text: one.value,
    unit: unit(item), visit: form.dataset.visit ?? "", ...more });
  try {
    const reply = await window.saphena.send(words.read, { method: "POST", body });
    return reply.ok ? await reply.json() : null;
  } catch {
    return null; // offline: nothing is read back, and nothing is lost
  }
}

function show(item, reply) {
  const one = box(item);
  let line = item.querySelector(".echo");
  if (!line) {
    line = document.createElement("span");
    line.className = "echo";
    line.id = `${one.id}_echo`;
    (item.querySelector(".units, .unit") ?? one).after(line);
    one.setAttribute("aria-describedby",
      [one.getAttribute("aria-describedby"), line.id].filter(Boolean).join(" "));
  }
  line.textContent = reply.error ?? reply.says ?? "";
  line.classList.toggle("unreadable", Boolean(reply.error));
  if (reply.error) one.setAttribute("aria-invalid", "true");
  else one.removeAttribute("aria-invalid");
}

async function echo(item, { errors }) {
  const one = box(item);
  const text = one.value;
  const asked = `${text} ${unit(item)}`;
  if (lastText.get(one) === asked) return;
  if (!text.trim()) {
    lastText.set(one, asked);
    return show(item, {});
  }
  const reply = await read(item);
  if (!reply || one.value !== text || (reply.error && !errors)) return;
  lastText.set(one, asked);
  show(item, reply);
  if (reply.value && reply.value !== text) {
    one.value = reply.value; // “t” would mean another day tomorrow
    lastText.set(one, `${reply.value} `);
    announce(one);
  }
}

// -- the unit of a number ---------------------------------------------------------------------------

async function unitChanged(item) {
  const one = box(item);
  const from = lastUnit.get(item);
  const to = unit(item);
  lastUnit.set(item, to);
  if (!one.value.trim() || from === to) return;
  const number = one.value;
  const reply = await read(item, { unit: from, to_unit: to });
  if (!reply?.value) return echo(item, { errors: true });
  const question = fill(words.unit, { number, from });
  const chosen = await ask(question, [], [`${words.convert}: ${reply.value} ${to}`,
    `${words.keepNumber}: ${number} ${to}`]);
  if (chosen === -1) {
    setUnit(item, from);
  } else if (chosen === 0) {
    type(item, reply.value);
    const undo = button(words.undo, "undo", () => {
      setUnit(item, from);
      type(item, number);
      note(item, "");
      one.focus();
    });
    note(item, fill(words.converted, { number, unit: from }), undo);
  }
  await echo(item, { errors: true });
}

function setUnit(item, wanted) {
  const radio = units(item).find((one) => one.value === wanted);
  radio.checked = true;
  lastUnit.set(item, wanted);
  announce(radio);
}

function type(item, text) {
  box(item).value = text;
  announce(box(item));
}

// -- days in one press --------------------------------------------------------------------------

function showDays(item) {
  const one = box(item);
  if (!one.dataset.kind.endsWith("date") || item.querySelector(".days")) return;
  const days = document.createElement("span");
  days.className = "days";
  const offers = [["t", words.today], ["-1", words.yesterday]];
  if (one.form.dataset.visit) offers.push(["v", words.visit]);
  for (const [text, word] of offers) {
    const made = button(word, "day", () => {
      type(item, text);
      echo(item, { errors: true });
    });
    made.tabIndex = -1;
    made.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
    days.append(made);
  }
  item.querySelector(".control").append(days);
}

export function start() {
  document.addEventListener("focusin", ({ target }) => {
    const item = itemOf(target);
    if (item && target === box(item)) showDays(item);
  });
  document.addEventListener("focusout", ({ target }) => {
    const item = itemOf(target);
    if (!item || target !== box(item)) return;
    item.querySelector(".days")?.remove();
    echo(item, { errors: true });
  });
  let waiting;
  document.addEventListener("input", ({ target }) => {
    const item = itemOf(target);
    if (!item || target !== box(item) || !units(item).length) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => echo(item, { errors: false }), 400); // the conversion, live
  });
  document.addEventListener("change", ({ target }) => {
    const item = itemOf(target);
    if (item && units(item).includes(target)) unitChanged(item);
  });
}

export function prepare(item) {
  if (units(item).length) lastUnit.set(item, unit(item));
}
