// Drives npm amocrm-js 3.6.0; it speaks https on 443 alone, so its requests are turned to the stand-in. Its bodies come
// in chunks without a Content-Length.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const http = require("node:http");
const https = require("node:https");
const settings = JSON.parse(process.argv[2]);
const there = new URL(settings.base_url);
const chunked = [];
https.request = (options, answered) => {
  const asked = typeof options === "string" ? new URL(options) : options;
  const turned = { method: asked.method, headers: asked.headers, path: asked.path ?? asked.pathname, host: there.hostname, port: there.port };
  const request = http.request(turned, answered);
  request.on("finish", () => chunked.push(request.getHeader("content-length") === undefined));
  return request;
};
const { Client } = require("amocrm-js");

const client = new Client({
  domain: "example.amocrm.ru",
  auth: {
    client_id: settings.client_id, client_secret: settings.client_secret, redirect_uri: settings.redirect_uri,
    code: settings.code,
  },
});

const out = {};
const account = await client.request.get("/api/v4/account");
out.account = account.data.id;
const made = await client.request.post("/api/v4/leads", [{ name: "x", price: 5 }]);
const number = made.data._embedded.leads[0].id;
await client.request.patch(`/api/v4/leads/${number}`, { name: "y" });
out.lead = (await client.request.get(`/api/v4/leads/${number}`)).data.name;
out.listed = (await client.request.get("/api/v4/leads", { query: "y" })).data._embedded.leads.length;
out.chunked = chunked.some(Boolean);
try {
  await client.request.post("/api/v4/leads", [{ nonsense: 1 }]);
} catch (error) {
  out.invalid = error.constructor.name;
}
console.log(JSON.stringify(out));
process.exit(0);
