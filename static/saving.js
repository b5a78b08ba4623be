// Saves drafts while one types. What the page says about saving is computed: an answer is unsaved
// as long as the form holds something else than what the server last acknowledged (`base`). What
// is unsent lives in this tab's memory only.

const WAIT = 2_000;
const AT_MOST = 10_000;
const PATIENCE = 20_000;
const RETRY = [2_000, 5_000, 15_000, 60_000];
const NOW = ["change", "visibilitychange"];

const itemOf = (control) => control.split("__")[0];
const sorted = (values) => JSON.stringify([...(values ?? [])].sort());

// -- one section -------------------------------------------------------------------------------

class Section {
  constructor(form) {
    this.form = form;
    this.prefixes = form.dataset.prefixes.split(" ");
    this.sent = ""; // what the server last judged, also where two people's answers differ
    this.refused = ""; // what the server would not take, until it is tried again
    this.complaint = ""; // and why
    this.choices = new Map(); // item → whose answer was chosen to stay, until the server knows
    this.both = form.querySelectorAll(".compare [name=seen]").length;
    this.discarded = false;
  }

  get base() {
    return JSON.parse(this.form.elements.base.value);
  }

  typed() {
    const held = {};
    for (const [control, value] of new FormData(this.form)) {
      const ours = this.prefixes.some((prefix) => control.startsWith(prefix));
      if (ours && typeof value === "string" && value.trim()) (held[control] ??= []).push(value);
    }
    for (const control of Object.keys(held)) { // a unit is no answer without its number
      if (control.endsWith("__unit") && !held[itemOf(control)]) delete held[control];
    }
    return held;
  }

  unsent() {
    if (this.discarded) return 0;
    const typed = this.typed();
    // What was taken is saved, however the server spells it (“t” is a day there).
    if (!this.both && JSON.stringify(typed) === this.sent) return 0;
    const base = this.base;
    const controls = [...Object.keys(typed), ...Object.keys(base)];
    return new Set(controls.filter((c) => sorted(typed[c]) !== sorted(base[c])).map(itemOf)).size;
  }

  get waiting() {
    if (this.refused === this.asked) return false;
    return this.choices.size > 0 || (this.unsent() > 0 && JSON.stringify(this.typed()) !== this.sent);
  }

  get stuck() {
    return this.complaint !== "" && this.unsent() > 0;
  }

  // What the server is asked for: to keep the answers, and those chosen.
  get asked() {
    return JSON.stringify([this.typed(), ...this.choices]);
  }

  // Sends what the form holds; throws when the server did not take it.
  async save() {
    const typed = JSON.stringify(this.typed());
    const { asked } = this;
    const chosen = [...this.choices];
    const body = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) {
      if (typeof value === "string" && name !== "csrfmiddlewaretoken") body.append(name, value);
    }
    body.append("action", "draft");
    for (const [item, whose] of chosen) body.append("choice", `${whose} ${item}`);
    const response = await window.saphena.send(this.form.getAttribute("action"), {
      method: "POST", body, keepalive: body.toString().length < 60_000, signal: AbortSignal.timeout(PATIENCE),
    });
    const answer = response.headers.get("Content-Type")?.includes("json") ? await response.json() : {};
    if (response.status === 401) throw new SignedOut();
    if (!answer.base || answer.message) {
      this.refused = asked;
      this.complain(answer.message || (response.status === 404 ? shown.dataset.gone : shown.dataset.refused));
      throw new Refused();
    }
    this.complain("");
    for (const [item] of chosen) this.choices.delete(item);
    this.sent = typed;
    this.both = answer.both;
    this.form.elements.base.value = JSON.stringify(answer.base);
    for (const [item, controls] of Object.entries(answer.show)) this.fill(item, controls);
    this.tell(answer.compare);
    for (const place of document.querySelectorAll(`[data-state-of="${this.form.parentElement.id}"]`)) {
      place.innerHTML = answer.state;
    }
    for (const [entry, revision] of Object.entries(answer.revisions)) {
      for (const input of document.querySelectorAll(`[name="revision-${entry}"]`)) input.value = revision;
    }
    for (const [prefix, html] of Object.entries(answer.derived)) {
      document.querySelector(`[data-derived-of="${CSS.escape(prefix)}"]`).innerHTML = html;
    }
    return answer.at;
  }

  // Shows the other person's answer that was chosen: the only time we write into a control.
  fill(item, controls) {
    for (const input of this.form.elements) {
      if (itemOf(input.name ?? "") !== item) continue;
      const values = controls[input.name] ?? [];
      if (["radio", "checkbox"].includes(input.type)) input.checked = values.includes(input.value);
      else input.value = values[0] ?? "";
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  tell(html) {
    const place = this.form.querySelector(".compare");
    if (place.innerHTML.trim() === html.trim()) return;
    const had = place.contains(document.activeElement);
    place.innerHTML = html;
    if (had) place.focus();
  }

  complain(text) {
    this.complaint = text;
    this.form.querySelector(".refused")?.remove();
    if (!text) return;
    const said = Object.assign(document.createElement("p"), { className: "message warning refused", textContent: text });
    this.form.querySelector(".compare").before(said);
  }
}

class SignedOut extends Error {} // session.js asks the password
class Refused extends Error {} // by the server, for this section alone

const sections = [...document.querySelectorAll("form.answers")]
  .filter((form) => form.querySelector("[name=action]"))
  .map((form) => new Section(form));

// -- what the page says -------------------------------------------------------------------------

const shown = document.querySelector("#save-state");
const spoken = Object.assign(document.createElement("p"), { className: "visually-hidden" });
document.querySelector("#status").append(spoken);
let savedAt = "";
let failure = ""; // why nothing can be sent: "", "offline" or "retrying"
let alarmed = false;
let passing = false; // a form whose turn it is to leave the page

const unsent = () => sections.reduce((sum, section) => sum + section.unsent(), 0);

function words() {
  const count = unsent();
  if (!count) return savedAt ? ["saved", shown.dataset.saved.replace("{time}", savedAt)] : null;
  if (failure === "offline") {
    return ["offline", count === 1 ? shown.dataset.offlineOne : shown.dataset.offline.replace("{count}", count)];
  }
  if (failure || sections.some((section) => section.stuck)) return ["retrying", shown.dataset.retrying];
  const waiting = sections.some((section) => section.waiting);
  if (!waiting && sections.some((section) => section.both)) return ["changed", shown.dataset.changed];
  return ["saving", shown.dataset.saving];
}

function show() {
  const [state, text] = words() ?? ["", ""];
  if (state && shown.textContent !== text) shown.textContent = text;
  if (state) shown.dataset.state = state;
  const alarm = ["offline", "retrying", "changed"].includes(state);
  if (alarm ? !alarmed : alarmed && state === "saved") {
    spoken.textContent = text;
    alarmed = alarm;
  }
  if (unsent()) addEventListener("beforeunload", stay);
  else removeEventListener("beforeunload", stay);
}

const stay = (event) => event.preventDefault();

// -- the queue ----------------------------------------------------------------------------------

let running = null;
let wait;
let since = 0; // when the oldest unsent answer was typed
let tries = 0;

function pump() {
  running ??= run().finally(() => { running = null; show(); });
  show();
  return running;
}

async function run() {
  clearTimeout(wait);
  since = 0;
  for (const section of sections) {
    if (!section.waiting) continue;
    try {
      savedAt = await section.save();
      failure = "";
      tries = 0;
    } catch (error) {
      if (!(error instanceof Refused)) {
        const network = error instanceof TypeError || !navigator.onLine;
        failure = network ? "offline" : "retrying";
        again();
        return false;
      }
      failure = ""; // the server is there: the other sections go on
    }
    show();
  }
  if (sections.some((section) => section.stuck)) again();
  return true;
}

const again = () => { wait = setTimeout(retry, RETRY[Math.min(tries++, RETRY.length - 1)]); };

function retry() {
  for (const section of sections) section.refused = "";
  return pump();
}

function retryAtOnce() {
  failure = "";
  tries = 0;
  retry();
}

// Everything sent that can be, also what was typed while sending. Says whether a form may leave:
// not while the server is out of reach, while two answers stand for choice, or while the form's
// own section is refused.
async function flush(own) {
  if (running) await running;
  await retry();
  while (sections.some((section) => section.waiting)) {
    if (!(await pump())) return false;
  }
  if (own?.stuck) return false;
  return !sections.some((section) => section.unsent() && section.both);
}

function typed(event) {
  const section = sections.find((one) => one.form.contains(event.target));
  if (section) section.discarded = false; // typed after its draft was given up
  show();
  if (failure || !sections.some((section) => section.waiting)) return;
  since ||= Date.now();
  clearTimeout(wait);
  const soon = NOW.includes(event.type) ? 0 : Math.min(WAIT, since + AT_MOST - Date.now());
  wait = setTimeout(soonest, Math.max(soon, 0));
}

// An answer typed while another is on its way goes with the next.
const soonest = async () => { if (running) await running; pump(); };

document.addEventListener("input", typed);
document.addEventListener("change", typed);
document.addEventListener("visibilitychange", (event) => { if (document.hidden) typed(event); });
document.addEventListener("saphena:signed-in", retryAtOnce);
addEventListener("online", retryAtOnce);
addEventListener("offline", () => { if (unsent()) failure = "offline"; show(); });

// A form leaves the page when every answer is on the server. What a section holds that the server
// refused stops no other's form: the browser then asks whether to leave it (`stay`).
document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (passing || form.method !== "post" || form.closest("dialog")) return;
  const section = sections.find((one) => one.form === form);
  if (!section && !unsent()) return;
  event.preventDefault();
  if (submitter?.name === "choice") {
    const [whose, item] = submitter.value.split(" ");
    section.choices.set(item, whose);
    await soonest();
    return;
  }
  if (submitter?.value === "discard") section.discarded = true;
  const whole = await flush(section);
  if (!whole && section) section.discarded = false;
  show();
  if (!whole || submitter?.value === "draft") return;
  setTimeout(() => { // not while this event is still under way
    passing = true;
    form.requestSubmit(submitter);
    passing = false;
  });
});

// -- focus ---------------------------------------------------------------------------------------

function goTo(anchor) {
  const section = document.getElementById(anchor);
  section?.scrollIntoView({ behavior: "instant" });
  section?.querySelector("h2")?.focus({ preventScroll: true });
}
for (const link of document.querySelectorAll(".sections a[href^='#']")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    history.replaceState(null, "", link.hash);
    goTo(link.hash.slice(1));
  });
}
// After the browser's own jump, which would take the focus away again.
addEventListener("load", () => {
  if (document.querySelector(".problems")) return;
  const anchor = location.hash.slice(1);
  if (anchor.startsWith("form-")) goTo(anchor);
  const control = anchor.startsWith("id_") && document.getElementById(anchor);
  if (!control) return;
  control.scrollIntoView({ behavior: "instant", block: "center" });
  control.focus({ preventScroll: true });
});

show();
if (sections.some((section) => section.waiting)) pump();
