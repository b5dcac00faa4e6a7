// What modalities and directions are called, and which direction suits a clip.

const WORDS = {
  audio: { one: "Sound", many: "sounds", its: "sound" },
  visual: { one: "Picture", many: "pictures", its: "picture" },
};

const INVITATIONS = {
  audio2visual: "Play it a sound and it finds the pictures that could have made it.",
  visual2audio: "Show it a picture and it finds the sounds that belong to it.",
  audio2audio: "Play it a sound and it finds the sounds that are like it.",
  visual2visual: "Show it a picture and it finds the pictures that are like it.",
};

/** Return the words for a modality; one that this page does not know keeps its own name. */
export function words(modality) {
  return WORDS[modality] ?? { one: capitalized(modality), many: `${modality} items`, its: modality };
}

/** Split `audio2visual` into its query and gallery modality. */
export function parts(direction) {
  const [query, gallery] = direction.split("2");
  return { query, gallery };
}

/** Return a direction in words: "Sound to pictures". */
export function title(direction) {
  const { query, gallery } = parts(direction);
  return `${words(query).one} to ${words(gallery).many}`;
}

/** Return the sentence that says what a direction does. */
export function invitation(direction) {
  const { query, gallery } = parts(direction);
  return INVITATIONS[direction] ?? `Search ${words(gallery).many} by ${words(query).its}.`;
}

/** Return which modalities a clip of a media type can be asked with. */
export function modalitiesOf(mediaType) {
  if (mediaType?.startsWith("audio/")) return ["audio"];
  if (mediaType?.startsWith("image/")) return ["visual"];
  return ["audio", "visual"];
}

/**
 * Return the direction to search in with a query of these modalities: the one
 * wanted if it suits, else the nearest that does, else null.
 */
export function suitable(wanted, modalities, offered) {
  const asks = offered.filter((direction) => modalities.includes(parts(direction).query));
  if (asks.includes(wanted)) return wanted;
  const crossing = asks.find((direction) => parts(direction).query !== parts(direction).gallery);
  return crossing ?? asks[0] ?? null;
}

/** Return "1 sound", "400 sounds". */
export function counted(number, modality) {
  const { one, many } = words(modality);
  return number === 1 ? `1 ${one.toLowerCase()}` : `${number.toLocaleString("en")} ${many}`;
}

function capitalized(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
