// Writes the tokens of texts with added tokens that take the white space beside them. Arguments: the story model's tokenizer.json, the output. The texts leave out U+0085 and U+FEFF, of which
// JavaScript has another opinion than Rust.
import fs from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";

const [story, output] = process.argv.slice(2);
const json = JSON.parse(fs.readFileSync(story, "utf8"));
const texts = [
  "a  <|end|>  b", "a <|end|> <|end|> b", "x => y", "x =>=> y", "  <|end|>", "<|end|>  =>  c", "a\u00a0<|end|>", "a\u200b<|end|>", "a\u3000<|end|>\u3000", "a\n\n=>b", "a=>\t\r\nb",
  "=> =>", "<|end|> \n => x", "a <|end|> => b", " =><|end|> ", "<|end|>", " ", "=>",
];
const told = {};
for (const [name, left, right] of [["left", true, false], ["right", false, true], ["both", true, true]]) {
  const added_tokens = [
    { id: 0, content: "<|end|>", single_word: false, lstrip: left, rstrip: right, normalized: false, special: true },
    { id: 495, content: "=>", single_word: false, lstrip: right, rstrip: left, normalized: true, special: false },
  ];
  const tokenizer = new Tokenizer({ ...json, added_tokens }, {});
  told[name] = { added_tokens, ids: Object.fromEntries(texts.map(text => [text, tokenizer.encode(text, { add_special_tokens: false }).ids.join(" ")])) };
}

fs.writeFileSync(output, JSON.stringify(told, null, 1) + "\n");
