// Pictures to search by: picked, pasted or dropped. They are made small here, and kept for as long
// as the tab lives, so that the back button and a reload find them again.

const SIDE = 640; // pixels; models look at less
const KEPT = 20;
const large = new Map(); // what cannot be made small here, for the server to judge

/** Keep a picture's file; gives the name that stands for it in the address. */
export async function keep(file) {
  const id = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
  const data = await reduced(file);
  if (data) store(id, data);
  else large.set(id, file);
  return id;
}

/** The picture of that name as a Blob, or null when this tab does not have it. */
export function kept(id) {
  if (large.has(id)) return large.get(id);
  const data = sessionStorage.getItem(`picture:${id}`);
  if (!data) return null;
  const [head, body] = data.split(",");
  const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5, head.indexOf(";")) });
}

/** The file as a small, upright JPEG's data address; null if the browser cannot read it. */
async function reduced(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/jpeg", 0.9);
}

function store(id, data) {
  const names = Object.keys(sessionStorage).filter((name) => name.startsWith("picture:"));
  for (const name of names.slice(0, Math.max(0, names.length - KEPT + 1))) {
    sessionStorage.removeItem(name);
  }
  sessionStorage.setItem(`picture:${id}`, data);
}

/** Call `use(file)` for a picture that is picked with the button, pasted, or dropped anywhere. */
export function listen({ pick, file, drop }, use, refuse) {
  const take = (files) => {
    const found = [...files].find((one) => one.type.startsWith("image/"));
    if (found) use(found);
    else refuse();
  };
  pick.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    take(file.files);
    file.value = "";
  });
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    take(event.clipboardData.files);
  });
  const brings = (event) => event.dataTransfer?.types.includes("Files");
  let inside = 0; // every element that is entered and left on the way says so
  const show = (change) => {
    inside = Math.max(0, change ? inside + change : 0);
    drop.classList.toggle("shown", inside > 0);
  };
  document.addEventListener("dragenter", (event) => brings(event) && show(1));
  document.addEventListener("dragleave", (event) => brings(event) && show(-1));
  document.addEventListener("dragover", (event) => brings(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    show(0);
    take(event.dataTransfer.files);
  });
}
