// Server-sent events of a response, as the objects in their data; a stream that ends without its last word is an error.

export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the answer broke off: the connection ended before the answer did");
    rest += value;
    const frames = rest.split(/\r?\n\r?\n/);
    rest = frames.pop();
    for (const frame of frames) {
      const data = dataOf(frame);
      if (data === "[DONE]") return;
      if (data) yield JSON.parse(data);
    }
  }
}

function dataOf(frame) {
  return frame
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).trimStart())
    .join("\n");
}
