// Writes the tokens of tokenizers that differ from the story model's in what Data/variants.json says, as hashes of each run of 500 lines.
// Arguments: the corpus, the story model's tokenizer.json, the variants, the output.
import crypto from "node:crypto";
import fs from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
import { lines } from "./corpus.mjs";

const [corpus, story, variants, output] = process.argv.slice(2);
const read = path => JSON.parse(fs.readFileSync(path, "utf8"));
const texts = lines(corpus);
const hashes = {};
for (const [name, variant] of Object.entries(read(variants))) {
  const json = read(story);
  const tokenizer = new Tokenizer({ ...json, ...variant, model: { ...json.model, ...variant.model } }, {});
  const tokens = texts.map(text => tokenizer.encode(text, { add_special_tokens: "post_processor" in variant }).ids.join(" ") + "\n");
  hashes[name] = [];
  for (let i = 0; i < tokens.length; i += 500) {
    hashes[name].push(crypto.createHash("sha256").update(tokens.slice(i, i + 500).join("")).digest("hex").slice(0, 16));
  }

  if (process.env.TOKENS) {
    fs.writeFileSync(`${process.env.TOKENS}${name}`, tokens.join(""));
  }
}

fs.writeFileSync(output, JSON.stringify(hashes, null, 1) + "\n");
