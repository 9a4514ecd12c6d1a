// Pictures of a conversation: the newest, its versions side by side, an edit box.
const RATIOS = ["", "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"];
let versions = [];
let current = "";
let other = "";

function picture(each, words) {
  return element("figure", {}, preview(each.id, each.prompt || words),
    element("figcaption", { dir: "auto" }, `${words}: ${each.id} · ${each.shape}`,
      each.prompt ? element("br") : null, each.prompt || null));
}

function draw() {
  const shown = versions.find((each) => each.id === current);
  if (!shown) return show(element("p", {}, "There is no picture to show yet."));
  const before = versions.find((each) => each.id === other && each.id !== current);
  const choose = element("select", { onchange: (event) => { other = event.target.value; draw(); } },
    element("option", { value: "" }, "Nothing"),
    ...versions.filter((each) => each.id !== current).map((each) => element("option", { value: each.id }, each.id)));
  choose.value = before ? before.id : "";
  show(
    element("h1", {}, "Pictures"),
    element("div", { class: "pair" }, before ? picture(before, "Before") : null, picture(shown, before ? "After" : "Picture")),
    embedded ? null : element("p", { class: "dim", dir: "auto" }, "File: ", isWebAddress(shown.where) ? link(shown.where, "download") : shown.where),
    versions.length > 1 ? element("label", {}, "Compare with ", choose) : null,
    versions.length > 1 ? element("div", { class: "row", role: "group", "aria-label": "Versions" },
      ...versions.map((each, n) => element("button", {
        type: "button", "aria-pressed": String(each.id === current), "data-key": each.id, title: each.prompt || each.id,
        onclick: () => { current = each.id; draw(); },
      }, `Version ${n + 1}`))) : null,
    embedded ? null : editor());
}

function editor() {
  const words = element("textarea", { "data-key": "edit", dir: "auto" });
  const ratio = element("select", { "data-key": "ratio" },
    ...RATIOS.map((each) => element("option", { value: each }, each || "As it is")));
  return element("section", { class: "box", "aria-label": "Edit" },
    element("label", {}, "Change this picture", words),
    element("label", {}, "Aspect ratio ", ratio),
    element("p", { class: "row" }, button("Make a new version", () => edit(words, ratio.value), "primary")));
}

async function edit(words, ratio) {
  if (!words.value.trim()) { say("Say what to change first."); words.focus(); return; }
  say("Drawing… this can take a minute.");
  try {
    const { facts, text } = await host.call("gemini_generate_image", {
      prompt: words.value, conversation_id: current, ...(ratio ? { aspect_ratio: ratio } : {}),
    });
    const made = named(facts.image_id) || named(text);
    if (!made) { say(text.split("\n---\n")[0]); return; }
    words.value = "";
    say("A new version is here.");
    other = current;
    await look(made);
  } catch (problem) { say(problem.message); }
}

async function look(id) {
  try {
    const { text } = await host.call("gemini_view_images", { id });
    take(JSON.parse(text));
  } catch (problem) { say(problem.message); }
}

function take(news) {
  versions = news.versions;
  current = news.current;
  other = other || news.before || "";
  draw();
}

const named = (text) => (/\b[ic]_[0-9a-z]{10}(?:\/\d+)?\b/.exec(text || "") || [""])[0];
start("gemini-gallery", () => {}, ({ data, facts, text, isError }) => {
  if (data) { take(data); return; }
  const found = named(facts.image_id) || named((/\bi_[0-9a-z]{10}\b/.exec(text) || [""])[0]);
  if (found) look(found);
  else show(element("p", { dir: "auto", class: isError ? "bad" : "" }, text.split("\n---\n")[0] || "No picture came."));
});
