// Markdown as reports use it, built as elements: no HTML, no foreign picture, no link that acts.
function inline(text) {
  const parts = [];
  const mark = /`([^`]+)`|!\[([^\]]*)\]\(([^)\s]*)\)|\[([^\]]+)\]\(([^)\s]+)\)|\*\*([^*]+)\*\*|(?<![\w*])\*([^*\s][^*]*)\*|\[(\d{1,3})\]|(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)])/;
  while (text) {
    const found = mark.exec(text);
    if (!found) break;
    if (found.index) parts.push(text.slice(0, found.index));
    const [whole, code, alt, , words, address, bold, slanted, source, bare] = found;
    if (code) parts.push(element("code", {}, code));
    else if (alt !== undefined) {
      const id = /i_[0-9a-z]{10}/.exec(alt);
      parts.push(id ? preview(id[0], alt) : `[${alt}]`);
    } else if (words) parts.push(link(address, ...inline(words)));
    else if (bold) parts.push(element("strong", {}, ...inline(bold)));
    else if (slanted) parts.push(element("em", {}, ...inline(slanted)));
    else if (bare) parts.push(link(bare, bare));
    else parts.push(button(`[${source}]`, () => {
      const entry = document.getElementById(`source-${source}`);
      if (entry) { entry.scrollIntoView({ block: "center" }); (entry.querySelector("button") || entry).focus(); }
    }, "link"));
    text = text.slice(found.index + whole.length);
  }
  if (text) parts.push(text);
  return parts;
}

function table(rows) {
  const cells = (row) => row.trim().replace(/^\||\|$/g, "").split("|").map((each) => each.trim());
  const [head, , ...body] = rows;
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" },
    element("table", {},
      element("thead", {}, element("tr", {}, ...cells(head).map((each) => element("th", { scope: "col" }, ...inline(each))))),
      element("tbody", {}, ...body.map((row) =>
        element("tr", {}, ...cells(row).map((each) => element("td", { dir: "auto" }, ...inline(each))))))));
}

function markdown(text) {
  const lines = text.split("\n");
  // The highest heading of a text stands right below the view's own, whatever its level was.
  const levels = lines.map((line) => (/^(#{1,6})\s/.exec(line) || ["", ""])[1].length).filter(Boolean);
  const shift = 2 - Math.min(...levels, 6);
  let above = 1;
  const made = [];
  const gather = (test) => {
    const taken = [];
    while (lines.length && test.test(lines[0])) taken.push(lines.shift());
    return taken;
  };
  while (lines.length) {
    const line = lines[0];
    const heading = /^(#{1,6})\s+(.*)/.exec(line);
    const item = /^\s*(?:[-*+]|\d+[.)])\s+/;
    if (!line.trim()) lines.shift();
    else if (/^```/.test(line)) {
      lines.shift();
      const code = gather(/^(?!```)/);
      lines.shift();
      made.push(element("pre", { tabindex: "0" }, element("code", {}, code.join("\n"))));
    } else if (heading) {
      lines.shift();
      above = Math.min(6, above + 1, Math.max(2, heading[1].length + shift));
      made.push(element(`h${above}`, { dir: "auto" }, ...inline(heading[2])));
    } else if (/^\s*\|.*\|/.test(line) && /^\s*\|[\s:|-]+$/.test(lines[1] || "")) made.push(table(gather(/^\s*\|/)));
    else if (/^\s*(---+|\*\*\*+)\s*$/.test(line)) { lines.shift(); made.push(element("hr")); }
    else if (/^>/.test(line)) made.push(element("blockquote", { dir: "auto" },
      ...inline(gather(/^>/).map((each) => each.replace(/^>\s?/, "")).join(" "))));
    else if (item.test(line)) {
      const ordered = /^\s*\d/.test(line);
      made.push(element(ordered ? "ol" : "ul", { start: ordered ? String(parseInt(line, 10)) : "1" },
        ...gather(item).map((each) => {
          const source = /^\s*(\d+)\./.exec(each);
          return element("li", { dir: "auto", ...(source ? { "data-number": source[1] } : {}) }, ...inline(each.replace(item, "")));
        })));
    } else {
      const words = [lines.shift(), ...gather(/^(?!\s*$|```|#{1,6}\s|>|\s*\||\s*(?:[-*+]|\d+[.)])\s)/)];
      made.push(element("p", { dir: "auto" }, ...inline(words.join(" "))));
    }
  }
  return made;
}
