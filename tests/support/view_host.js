// A host of MCP Apps for tests: the official AppBridge, whose calls go to the test's own client.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

async function rpc(method, params) {
  const answer = await fetch("/rpc", { method: "POST", body: JSON.stringify({ method, params }) });
  const { result, error } = await answer.json();
  if (error) throw new Error(error);
  return result;
}

window.seen = { opened: [], called: [] };
window.openView = async (html, context, toolInput, toolResult) => {
  document.querySelector("iframe")?.remove();
  const frame = document.createElement("iframe");
  frame.title = "view";
  frame.sandbox = "allow-scripts";
  document.body.append(frame);
  const bridge = new AppBridge(null, { name: "test-host", version: "1" },
    { openLinks: {}, serverTools: {}, serverResources: {} }, { hostContext: context });
  bridge.oncalltool = (params) => { window.seen.called.push(params); return rpc("tools/call", params); };
  bridge.onreadresource = (params) => rpc("resources/read", params);
  bridge.onopenlink = async ({ url }) => { window.seen.opened.push(url); return {}; };
  bridge.onsizechange = ({ height }) => { frame.style.height = `${height}px`; };
  const ready = new Promise((resolve) => { bridge.oninitialized = resolve; });
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.srcdoc = html;
  await ready;
  await bridge.sendToolInput({ arguments: toolInput });
  await bridge.sendToolResult(toolResult);
};
