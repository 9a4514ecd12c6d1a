#!/usr/bin/env bash
# Guess: a tool whose list takes texts or objects (`items: {anyOf: [string, object]}`) takes both from LangChain.
# Seen with @langchain/mcp-adapters 1.1.4 and @langchain/core 1.4.0, on 2026-12-01: an object goes through, the text
# "a" is refused before the server hears of it ("Received tool input did not match expected schema").
# Here: this client is offered lists of texts alone, objects as JSON in them (docs/how-to/frameworks/langchain-js.md).
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
cd "$here"
echo '{"private": true}' > package.json
npm install --no-audit --no-fund --loglevel=error --no-package-lock \
    @langchain/mcp-adapters@1.1.4 @langchain/core@1.4.0 langchain@1.5.14 >/dev/null
cat > server.mjs <<'END'
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
const items = { anyOf: [{ type: "string" }, { type: "object" }] };
const tool = { name: "count", inputSchema: { type: "object", properties: { list: { type: "array", items } } } };
const server = new Server({ name: "lists", version: "1" }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools: [tool] }));
server.setRequestHandler(CallToolRequestSchema, async (request) =>
  ({ content: [{ type: "text", text: `got ${request.params.arguments.list.length}` }] }));
await server.connect(new StdioServerTransport());
END
cat > client.mjs <<'END'
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
const client = new MultiServerMCPClient({
  mcpServers: { lists: { transport: "stdio", command: process.execPath, args: ["server.mjs"] } },
});
const [tool] = await client.getTools();
const tried = async (list) => { try { return await tool.invoke({ list }); } catch (error) { return error.message; } };
const seen = { object: await tried([{ a: 1 }]), text: await tried(["a"]) };
console.log(JSON.stringify(seen));
await client.close();
if (seen.object !== "got 1" || !seen.text.includes("did not match")) process.exit(1);
END
node client.mjs
