// Where words are found in a text: without regard to case and accents, as the search does.

const SHORTEST = 3; // letters of a word that is looked for by itself
const QUOTED = /"([^"]+)"/g;

/** The same text, letter by letter, without case and accents. */
const fold = (text) =>
  Array.from({ length: text.length }, (_, at) => {
    const letter = text[at].normalize("NFD")[0].toLowerCase();
    return letter.length === 1 ? letter : text[at];
  }).join("");

/** The phrases in double quotes, and the other words, of a query. */
function parts(query) {
  const quoted = [...query.matchAll(QUOTED)].map(([, phrase]) => fold(phrase.trim())).filter(Boolean);
  const rest = fold(query.replace(QUOTED, " ")).split(/[^\p{L}\p{N}]+/u);
  return { quoted, words: rest.filter((word) => word.length >= SHORTEST) };
}

/**
 * What finds a query in a text: a function that gives the places [from, to] of its quoted phrases,
 * or, of a query without quotes, of its words. None unless all of them occur.
 */
export function finder(query) {
  const { quoted, words } = parts(query ?? "");
  const wanted = quoted.length ? quoted : words;
  return (text) => {
    const folded = fold(text);
    const places = wanted.map((one) => occurrences(folded, one));
    return places.every((own) => own.length) ? places.flat().sort((one, other) => one[0] - other[0]) : [];
  };
}

function occurrences(text, part) {
  const places = [];
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) {
    places.push([at, at + part.length]);
  }
  return places;
}

/** A text as nodes, its places in marks: whatever it holds is shown as it is. */
export function marked(text, places) {
  const nodes = [];
  let done = 0;
  for (const [from, to] of places) {
    if (to <= done) continue;
    const mark = document.createElement("mark");
    mark.textContent = text.slice(Math.max(from, done), to);
    nodes.push(text.slice(done, Math.max(from, done)), mark);
    done = to;
  }
  nodes.push(text.slice(done));
  return nodes;
}
