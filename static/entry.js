// The entry of items by hand: each module adds one thing to what works without any of them.
import { itemsIn } from "./entry/items.js";
import * as absence from "./entry/absence.js";
import * as conditions from "./entry/conditions.js";
import * as echo from "./entry/echo.js";
import * as keys from "./entry/keys.js";
import * as legs from "./entry/legs.js";

function prepare(root) {
  for (const item of itemsIn(root)) {
    absence.prepare(item);
    echo.prepare(item);
    keys.prepare(item);
  }
  for (const form of root.querySelectorAll("form:has(.item[data-name])")) {
    absence.prepareForm(form);
    conditions.prepareForm(form);
    legs.prepareForm(form);
  }
}

for (const part of [absence, echo, keys, legs, conditions]) part.start();
prepare(document);
document.addEventListener("htmx:afterSettle", (event) => prepare(event.target));
