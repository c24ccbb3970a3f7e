// Makes the tokens of the npm package jose anew: `npm install --prefix FOLDER jose`, then `node make.mjs FOLDER`.
// As make.py: jose makes the keys, exports them and signs; private keys are never written.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const installed = createRequire(join(resolve(process.argv[2]), "package.json"));
const jose = await import(pathToFileURL(installed.resolve("jose")));
const version = JSON.parse(readFileSync(installed.resolve("jose/package.json"))).version;

const shapes = JSON.parse(readFileSync(join(here, "shapes.json")));
const keys = [];
const tokens = {};
for (const [name, { alg, header, claims, jwk }] of Object.entries(shapes.shapes)) {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg);
  const exported = await jose.exportJWK(publicKey);
  const told = { ...header, alg };
  if (told.kid === "THUMBPRINT") told.kid = await jose.calculateJwkThumbprint(exported);
  tokens[name] = await new jose.SignJWT({ iss: shapes.issuer, sub: "alice", ...claims })
    .setProtectedHeader(told)
    .sign(privateKey);
  keys.push({ ...exported, ...jwk });
}

const file = join(here, "tokens.json");
const all = JSON.parse(readFileSync(file));
all.jose = { made_by: `jose ${version}`, jwks: { keys }, tokens };
const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(file, JSON.stringify(sorted, null, 1) + "\n");
