// Items asked only after another's answer stand under it, and never vanish with theirs unasked.
import { absence, answers, ask, controls, isBlank, itemOf, itemsIn, label, prefixOf, put, shown,
  words } from "./items.js";
import { uncode } from "./absence.js";

const known = new WeakMap(); // parent → its answers before they changed
let settling = false;

const parentsOf = (item) =>
  Object.entries(JSON.parse(item.dataset.when)).map(([name, wanted]) => [
    item.closest("form").querySelector(`.item[data-name="${prefixOf(item)}${name}"]`),
    wanted,
  ]);

/** Whether an item is asked with the answers that its form shows. */
const isAsked = (item) =>
  parentsOf(item).every(
    ([parent, wanted]) => !parent || answers(parent).some((one) => wanted.includes(one)),
  );

/** Show the items that are asked, or answered, or found wrong; hide the others. */
function reveal(form) {
  for (const item of conditional(form))
    item.hidden = !isAsked(item) && isBlank(item) && !item.classList.contains("wrong");
}

const conditional = (form) => itemsIn(form).filter((item) => item.dataset.when);

function vanishing(form, parent) {
  const found = [];
  let parents = [parent];
  while (parents.length) {
    const below = conditional(form).filter(
      (item) => !found.includes(item) && parentsOf(item).some(([one]) => parents.includes(one)),
    );
    const lost = below.filter((item) => !isAsked(item) && !isBlank(item));
    found.push(...lost);
    parents = lost;
  }
  return found;
}

async function changed(parent) {
  const form = parent.closest("form");
  const lost = vanishing(form, parent);
  if (lost.length) {
    const list = lost.map((item) => `${label(item)}: ${shown(item) || absenceWords(item)}`);
    const chosen = await ask(words.vanish, list, [words.remove, words.keep]);
    settling = true;
    if (chosen === 0) {
      for (const item of lost) {
        if (absence(item)?.value) uncode(item);
        put(item, []);
      }
      known.set(parent, answers(parent));
    } else put(parent, known.get(parent) ?? []);
    settling = false;
  } else known.set(parent, answers(parent));
  reveal(form);
}

const absenceWords = (item) => absence(item)?.selectedOptions[0].textContent ?? "";

export function start() {
  document.addEventListener("change", ({ target }) => {
    const item = itemOf(target);
    if (!item || settling) return;
    const asked = controls(item).includes(target) || target === absence(item);
    if (asked && conditional(item.closest("form")).length) changed(item);
  });
}

export function prepareForm(form) {
  for (const item of conditional(form))
    for (const [parent] of parentsOf(item)) if (parent) known.set(parent, answers(parent));
  reveal(form);
}
