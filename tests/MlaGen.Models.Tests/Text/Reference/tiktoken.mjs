// Makes a small tiktoken.model of the corpus, by byte-pair encoding within the pieces of Kimi-K2's pattern, and writes the tokens that OpenAI's tiktoken makes of the corpus with it, as
// hashes of each run of 500 lines. Arguments: the corpus, tiktoken.model, the output.
import crypto from "node:crypto";
import fs from "node:fs";
import { Tiktoken } from "tiktoken";
import { lines } from "./corpus.mjs";

const [corpus, model, output] = process.argv.slice(2);
const merges = 1200;
const texts = lines(corpus);
const pattern = [
  "[\\p{Han}]+",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
  "\\p{N}{1,3}",
  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*",
  "\\s*[\\r\\n]+",
  "\\s+(?!\\S)",
  "\\s+",
].join("|");

// The pieces: with single bytes alone for tokens, JavaScript's own expressions cut the corpus well enough to learn merges from.
const rough = /\p{Script=Han}+|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+/gu;
const counts = new Map();
for (const text of texts) {
  for (const [piece] of text.matchAll(rough)) {
    counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
}

const words = [...counts].map(([piece, count]) => ({ count, parts: [...Buffer.from(piece)].map(value => Buffer.from([value]).toString("latin1")) }));
const tokens = Array.from({ length: 256 }, (_, value) => Buffer.from([value]).toString("latin1"));
const known = new Set(tokens);
while (tokens.length < 256 + merges) {
  const pairs = new Map();
  for (const { parts, count } of words) {
    for (let i = 0; i + 1 < parts.length; i++) {
      const key = `${parts[i].length}:${parts[i]}${parts[i + 1]}`;
      pairs.set(key, (pairs.get(key) ?? 0) + count);
    }
  }

  let best = null;
  for (const [key, count] of pairs) {
    const colon = key.indexOf(":");
    if (!known.has(key.slice(colon + 1)) && (best === null || count > best.count || (count === best.count && key < best.key))) {
      best = { key, count, left: Number(key.slice(0, colon)), token: key.slice(colon + 1) };
    }
  }

  tokens.push(best.token);
  known.add(best.token);
  const [left, right] = [best.token.slice(0, best.left), best.token.slice(best.left)];
  for (const word of words) {
    for (let i = 0; i + 1 < word.parts.length; i++) {
      if (word.parts[i] === left && word.parts[i + 1] === right) {
        word.parts.splice(i, 2, best.token);
      }
    }
  }
}

const ranks = tokens.map((token, rank) => `${Buffer.from(token, "latin1").toString("base64")} ${rank}`);
fs.writeFileSync(model, ranks.join("\n") + "\n");
const special = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [i === 2 ? "<|im_end|>" : `<|reserved_token_${tokens.length + i}|>`, tokens.length + i]));
const encoding = new Tiktoken(ranks.join("\n"), special, pattern);
const told = texts.map((text, i) => [...encoding.encode(i % 3 === 0 ? `${text}<|im_end|>` : text, "all")].join(" ") + "\n");
const hashes = [];
for (let i = 0; i < told.length; i += 500) {
  hashes.push(crypto.createHash("sha256").update(told.slice(i, i + 500).join("")).digest("hex").slice(0, 16));
}

fs.writeFileSync(output, hashes.join("\n") + "\n");
if (process.env.TOKENS) {
  fs.writeFileSync(process.env.TOKENS, told.join(""));
}
