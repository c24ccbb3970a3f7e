// The npm package jose as colours.py calls it: a line of tokens in, a line of verdicts out.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { folder, url, issuer, audience, options } = JSON.parse(process.argv[2]);
const found = createRequire(folder + "/").resolve("jose");
const { createRemoteJWKSet, jwtVerify } = await import(pathToFileURL(found));
const keys = createRemoteJWKSet(new URL(url), options);

async function verdict(token) {
  try {
    await jwtVerify(token, keys, { issuer, audience });
    return "";
  } catch (error) {
    return error.code ?? error.name;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await Promise.all(JSON.parse(line).map(verdict))));
}
