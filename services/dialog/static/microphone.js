// One recording from the microphone, in whatever form this browser makes.

const LONGEST_MS = 55_000; // the service listens to a minute

// Begin to record. ``stop`` ends it, as does the longest time; ``ended`` is then the recording.
export async function record() {
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
    throw new Error("This browser gives its microphone to pages over https alone; please type it.");
  }
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => {
    throw new Error("There is no microphone that this page may use; please allow one, or type it.");
  });
  const recorder = new MediaRecorder(stream);
  const parts = [];
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const ended = new Promise((done) => {
    recorder.addEventListener("stop", () => {
      for (const track of stream.getTracks()) track.stop();
      done(new Blob(parts, { type: recorder.mimeType }));
    });
  });
  const stop = () => recorder.state !== "inactive" && recorder.stop();
  setTimeout(stop, LONGEST_MS);
  recorder.start();
  return { stop, ended };
}
