// Writes the tokens that @huggingface/tokenizers makes of the corpus, as hashes: of each run of ten lines the first 16 hexadecimal digits of
// the SHA-256 of "id id id\n" for every line. Arguments: the corpus, a directory with tokenizer.json and tokenizer_config.json, the output.
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { lines } from "./corpus.mjs";

const [corpus, directory, output] = process.argv.slice(2);
const read = name => JSON.parse(fs.readFileSync(path.join(directory, name), "utf8"));
const tokenizer = new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
const tokens = lines(corpus).map(line => tokenizer.encode(line, { add_special_tokens: false }).ids.join(" ") + "\n");
const hashes = [];
for (let i = 0; i < tokens.length; i += 10) {
  hashes.push(crypto.createHash("sha256").update(tokens.slice(i, i + 10).join("")).digest("hex").slice(0, 16));
}

fs.writeFileSync(output, hashes.join("\n") + "\n");
if (process.env.TOKENS) {
  fs.writeFileSync(process.env.TOKENS, tokens.join(""));
}
