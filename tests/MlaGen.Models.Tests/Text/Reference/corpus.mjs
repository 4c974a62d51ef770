// The lines of Data/corpus.json, as TokenizerCorpus.cs makes them: both follow the same sequence of pseudo-random numbers.
import fs from "node:fs";

export function lines(path) {
  const corpus = JSON.parse(fs.readFileSync(path, "utf8"));
  let state = corpus.seed >>> 0;
  const below = count => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % count;
  };

  return Array.from({ length: corpus.lines }, () => {
    let line = "";
    for (let parts = 1 + below(16); parts > 0; parts--) {
      switch (below(8)) {
        case 0:
          line += " ".repeat(1 + below(20));
          break;
        case 1:
        case 2: {
          const [first, last] = corpus.ranges[below(corpus.ranges.length)];
          for (let count = 1 + below(8); count > 0; count--) {
            line += String.fromCodePoint(first + below(last - first + 1));
          }
          break;
        }
        default:
          line += corpus.fragments[below(corpus.fragments.length)];
      }
    }

    return line;
  });
}
