"use strict";
// What the host and this view say to each other: JSON-RPC over postMessage, as MCP Apps defines it.
// A page that was opened by itself carries its data and has no host.
const embedded = document.getElementById("data");
const host = (() => {
  const waiting = new Map();
  const listeners = {};
  let next = 1;
  const post = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  addEventListener("message", ({ source, data }) => {
    if (source !== parent || !data || data.jsonrpc !== "2.0") return;
    if (data.method && data.id !== undefined) {
      const known = data.method === "ping" || data.method === "ui/resource-teardown";
      if (data.method === "ui/resource-teardown") listeners.teardown?.();
      post(known ? { id: data.id, result: {} }
        : { id: data.id, error: { code: -32601, message: "Method not found" } });
    } else if (data.method) {
      listeners[data.method]?.(data.params || {});
    } else if (waiting.has(data.id)) {
      const [resolve, reject] = waiting.get(data.id);
      waiting.delete(data.id);
      if (data.error) reject(new Error(String(data.error.message || "The host refused.")));
      else resolve(data.result || {});
    }
  });
  const request = (method, params) => new Promise((resolve, reject) => {
    waiting.set(next, [resolve, reject]);
    post({ id: next++, method, params });
  });
  return {
    request,
    notify: (method, params) => post({ method, params }),
    on: (method, listener) => { listeners[method] = listener; },
    async call(name, given) {
      const result = await request("tools/call", { name, arguments: given });
      const text = (result.content || []).filter((each) => each.type === "text")
        .map((each) => each.text).join("\n");
      if (result.isError) throw new Error(text.split("\n---\n")[0]);
      return { text, facts: (result._meta || {})["gemini-interactions-mcp/result"] || {} };
    },
    async read(uri) {
      const result = await request("resources/read", { uri });
      return (result.contents || [])[0] || {};
    },
  };
})();

// Everything shown is built from elements and text nodes: nothing foreign is ever parsed as HTML.
function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}
const view = document.getElementById("view");
const say = (text) => { document.getElementById("status").textContent = text; };
const button = (text, action, kind = "") =>
  element("button", { type: "button", class: kind, onclick: action }, text);

function ask(text, yes) {
  const dialog = document.getElementById("question");
  const accept = document.getElementById("question-yes");
  document.getElementById("question-text").textContent = text;
  accept.textContent = yes;
  return new Promise((resolve) => {
    accept.onclick = () => dialog.close("yes");
    document.getElementById("question-no").onclick = () => dialog.close("no");
    dialog.returnValue = "no";
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.showModal();
  });
}

const isWebAddress = (address) => /^https?:\/\/[^\s<>"]+$/i.test(address);
function link(address, ...text) {
  if (!isWebAddress(address)) return element("span", {}, ...text);
  const open = async () => {
    let place = address;
    try { place = new URL(address).host; } catch { return; }
    if (!(await ask(`Open ${place}?\n${address}`, "Open"))) return;
    if (embedded) window.open(address, "_blank", "noopener,noreferrer");
    else host.request("ui/open-link", { url: address }).catch((problem) => say(problem.message));
  };
  return element("button", { type: "button", class: "link", title: address, onclick: open }, ...text);
}

const previews = new Map();
function preview(id, words) {
  const image = element("img", { alt: words, "data-id": id });
  const show = (blob) => { image.src = `data:image/jpeg;base64,${blob}`; };
  const missing = () => image.replaceWith(element("span", { class: "dim" }, `[${words}: ${id}]`));
  if (!/^i_[0-9a-z]{10}$/.test(id)) setTimeout(missing);
  else if (previews.has(id)) show(previews.get(id));
  else if (!embedded) {
    host.read(`gemini://images/${id}`).then(({ blob }) => {
      if (typeof blob !== "string" || !/^[A-Za-z0-9+/=]+$/.test(blob)) return missing();
      previews.set(id, blob);
      show(blob);
    }).catch(missing);
  } else setTimeout(missing);
  return image;
}

function applyContext({ theme, locale, styles } = {}) {
  const root = document.documentElement;
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  if (typeof locale === "string" && /^[A-Za-z-]{2,20}$/.test(locale)) {
    root.dir = /^(ar|fa|he|iw|ur|ps|yi|dv|ug|sd)\b/i.test(locale) ? "rtl" : "ltr";
  }
  for (const [name, value] of Object.entries((styles && styles.variables) || {})) {
    if (/^--[a-z0-9-]+$/.test(name) && typeof value === "string" && !/url\(/i.test(value)) {
      root.style.setProperty(name, value);
    }
  }
}

function show(...children) {
  // Whoever is typing or has the focus keeps both.
  const active = document.activeElement;
  const key = active && active.dataset ? active.dataset.key : "";
  const typed = Object.fromEntries([...view.querySelectorAll("[data-key]")]
    .filter((each) => "value" in each && each.tagName !== "BUTTON").map((each) => [each.dataset.key, each.value]));
  view.replaceChildren(...children.filter(Boolean));
  view.removeAttribute("aria-busy");
  for (const each of view.querySelectorAll("[data-key]")) {
    if (each.dataset.key in typed) each.value = typed[each.dataset.key];
    if (each.dataset.key === key) each.focus();
  }
}

async function start(name, onArguments, onResult) {
  if (embedded) {
    document.documentElement.dataset.theme =
      matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const data = JSON.parse(embedded.textContent);
    for (const [id, blob] of Object.entries(data.previews || {})) previews.set(id, blob);
    return onResult({ data });
  }
  host.on("ui/notifications/host-context-changed", applyContext);
  host.on("ui/notifications/tool-input", (params) => onArguments(params.arguments || {}));
  host.on("ui/notifications/tool-cancelled", () => say("The call was cancelled."));
  host.on("ui/notifications/tool-result", (result) => onResult({
    facts: (result._meta || {})["gemini-interactions-mcp/result"] || {},
    text: (result.content || []).map((each) => (typeof each.text === "string" ? each.text : "")).join("\n"),
    isError: result.isError === true,
  }));
  const greeting = await host.request("ui/initialize", {
    protocolVersion: "2026-01-26", appInfo: { name, version: "1" }, appCapabilities: {},
  });
  applyContext(greeting.hostContext);
  host.notify("ui/notifications/initialized", {});
  new ResizeObserver(() => host.notify("ui/notifications/size-changed", {
    height: Math.ceil(document.documentElement.getBoundingClientRect().height),
  })).observe(document.documentElement);
}
