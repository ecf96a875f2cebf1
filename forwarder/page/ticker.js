// A clock for generated pictures, as a worker: timers of a page that nobody looks at are slowed down to one a second.

let timer;

self.addEventListener("message", ({ data }) => {
  clearInterval(timer);
  if (data > 0) timer = setInterval(() => self.postMessage(0), 1000 / data);
});
