/* Browsers run no workers from files: on a site that is opened from the disk the search runs in a frame instead.
   Material's offline plugin would fetch such a script from the network; the name of this file keeps it from that. */
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inside = frame.contentWindow
      inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      inside.importScripts = (...scripts) =>
        scripts.reduce((before, script) => before.then(() => this.load(frame, script)), Promise.resolve())
      this.send = data => inside.dispatchEvent(new MessageEvent("message", { data }))
      this.ready = this.load(frame, url)
    }

    load(frame, url) {
      return new Promise((done, failed) => {
        const script = frame.contentDocument.createElement("script")
        script.src = url
        script.onload = done
        script.onerror = failed
        frame.contentDocument.body.append(script)
      })
    }

    postMessage(data) {
      this.ready.then(() => this.send(data))
    }

    terminate() {}
  }
  window.Worker = window.IFrameWorker
}
