// One item on the page: its controls, its answer, its absence code.

export const words = document.getElementById("entry-words")?.dataset ?? {};
export const fill = (text, parts) => text.replace(/{(\w+)}/g, (_, name) => parts[name]);

export const itemOf = (node) => node.closest?.(".item[data-name]") ?? null;
export const itemsIn = (root) => [...root.querySelectorAll(".item[data-name]")];
export const prefixOf = (item) => item.dataset.name.slice(0, item.dataset.name.lastIndexOf("-") + 1);
export const label = (item) =>
  [...item.querySelector(".question").childNodes]
    .filter((node) => node.nodeType === Node.TEXT_NODE)
    .map((node) => node.data.trim())
    .join(" ")
    .trim();

const named = (item, companion = "") =>
  [...item.querySelectorAll(`[name="${item.dataset.name}${companion}"]`)];
export const controls = (item) => named(item);
export const absence = (item) => named(item, "__absent")[0] ?? null;
export const units = (item) => named(item, "__unit");
export const unit = (item) => units(item).find((radio) => radio.checked)?.value ?? "";
export const isGroup = (item) => ["radio", "checkbox"].includes(controls(item)[0]?.type);

export const answers = (item) =>
  controls(item)
    .filter((one) => (isGroup(item) ? one.checked : one.value.trim() !== ""))
    .map((one) => one.value);

export const isBlank = (item) => !answers(item).length && !absence(item)?.value;

/** The answer as the page shows it. */
export function shown(item) {
  return controls(item)
    .filter((one) => (isGroup(item) ? one.checked : one.value.trim() !== ""))
    .map((one) => {
      if (one.type === "radio" || one.type === "checkbox")
        return one.closest("label").textContent.trim().replace(/\s+/g, " ");
      return one.selectedOptions ? one.selectedOptions[0].textContent : one.value;
    })
    .join(", ");
}

/** Tell the page, and whoever saves it, that a control has changed. */
export function announce(control) {
  control.dispatchEvent(new Event("input", { bubbles: true }));
  control.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Give an item these answers (values as they are posted) instead of those it has. */
export function put(item, values) {
  for (const one of controls(item)) {
    if (isGroup(item)) one.checked = values.includes(one.value);
    else one.value = values[0] ?? "";
  }
  announce(controls(item)[0]);
}

export function focus(item) {
  const all = controls(item);
  (all.find((one) => one.checked) ?? all[0])?.focus();
}

/** Whether the answer is the one that the page proposed. */
export const stands = (item) => "proposed" in item.dataset && answers(item)[0] === item.dataset.proposed;

export const isShown = (item) => item.offsetParent !== null;

/** A small button that Tab passes by; what it does has a key of its own. */
export function button(text, className, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = className;
  made.textContent = text;
  made.addEventListener("click", action);
  return made;
}

/** The line under an item where the page says what it did; an empty text removes it. */
export function note(item, text, ...buttons) {
  item.querySelector(":scope > .note")?.remove();
  if (!text && !buttons.length) return;
  const line = document.createElement("p");
  line.className = "note";
  line.setAttribute("role", "status");
  line.append(text, " ", ...buttons);
  item.append(line);
}

/** Ask in a dialog; resolves to the number of the button pressed, or -1 after Escape. */
export function ask(text, details, choices) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.className = "ask";
    const line = document.createElement("p");
    line.textContent = text;
    line.id = "ask-text";
    dialog.setAttribute("aria-labelledby", line.id);
    const list = document.createElement("ul");
    for (const detail of details) {
      const entry = document.createElement("li");
      entry.textContent = detail;
      list.append(entry);
    }
    const row = document.createElement("div");
    row.className = "actions";
    let chosen = -1;
    choices.forEach((choice, index) => {
      row.append(
        button(choice, "btn btn-outline-secondary", () => {
          chosen = index;
          dialog.close();
        }),
      );
    });
    dialog.append(line, ...(details.length ? [list] : []), row);
    const before = document.activeElement;
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus?.();
      resolve(chosen);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
