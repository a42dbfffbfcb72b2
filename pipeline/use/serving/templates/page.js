"use strict";
(() => {
  const SHOWN = 10; // classes that are seen at once
  const form = document.getElementById("question");
  const panel = document.getElementById("prediction");
  const picture = document.getElementById("picture");
  let latest = 0; // a prediction that another question has overtaken is not shown

  const element = (name, kind, text) => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  // Nothing is certain that is only rounded.
  const percent = share =>
    share > 0 && share < 0.0005 ? "< 0.1 %"
    : share < 1 && share >= 0.9995 ? "> 99.9 %"
    : `${(100 * share).toFixed(1)} %`;

  // What is shown of a prediction, part by part: each gives elements. A new part is a line in PARTS.
  const predicted = prediction => prediction.predicted === null ? [] : [
    element("p", "class", prediction.predicted),
    element("p", "share", `probability ${percent(prediction.probabilities[prediction.predicted])}`),
  ];
  const problem = prediction => prediction.problem ? [element("p", "problem", sentence(prediction.problem))] : [];
  const missing = prediction => prediction.predicted !== null && prediction.missing.length
    ? [element("p", "note", `Predicted without a ${prediction.missing.join(" and a ")}.`)] : [];
  const bars = prediction => {
    const shares = Object.entries(prediction.probabilities).sort((a, b) => b[1] - a[1]);
    if (!shares.length) return [];
    const list = element("ol", "bars");
    list.append(...shares.map(bar));
    const hidden = [...list.children].slice(SHOWN);
    if (!hidden.length) return [list];
    hidden.forEach(item => { item.hidden = true; });
    const more = element("button", "", `Show all ${shares.length} classes`);
    more.type = "button";
    more.addEventListener("click", () => {
      hidden.forEach(item => { item.hidden = false; });
      more.remove();
      hidden[0].tabIndex = -1;
      hidden[0].focus();
    });
    return [list, more];
  };
  const PARTS = [predicted, problem, missing, bars];

  // What a prediction rests on, likewise.
  const points = part => `${part < 0 ? "\u2212" : "+"}${Math.abs(100 * part).toFixed(1)}`;
  const balance = ([noun, part]) => {
    const item = element("li");
    const track = element("span", "track balance");
    const filled = element("span", part < 0 ? "bar against" : "bar");
    filled.style.width = `${50 * Math.abs(part)}%`;
    filled.style[part < 0 ? "right" : "left"] = "50%";
    track.append(filled);
    item.append(element("span", "name", noun), element("span", "value", points(part)), track);
    return item;
  };
  const contributions = reasons => {
    const list = element("ul", "bars");
    list.append(...Object.entries(reasons.contributions).map(balance));
    const told = `Percentage points that the picture and the text each add to the probability of ${reasons.predicted}; below 0, it speaks against it.`;
    return [element("p", "hint", told), list];
  };
  const weights = reasons => reasons.weights === null ? [] : [element(
    "p", "hint",
    `The network weighs ${Object.entries(reasons.weights).map(([noun, part]) => `the ${noun} ${percent(part)}`).join(", ")}.`,
  )];
  const attention = reasons => {
    if (reasons.attention === null) return [];
    const seen = element("img", "seen");
    seen.alt = reasons.attention.has_regions
      ? "The picture, the redder the more the network looked there" : "The picture as the network sees it";
    seen.src = `data:image/png;base64,${reasons.attention.heat_map}`;
    const words = element("p", "words");
    reasons.attention.words.forEach(({ word, weight, strength }) => {
      const shown = element("span", "", word);
      shown.style.backgroundColor = `rgb(214 39 40 / ${0.6 * strength})`;
      shown.title = percent(weight);
      words.append(shown, " ");
    });
    return [element("p", "hint", "Where the network looked, the redder the more:"), seen, words];
  };
  const REASONS = [contributions, weights, attention];

  const bar = ([name, share]) => {
    const item = element("li");
    const track = element("span", "track");
    const filled = element("span", "bar");
    filled.style.width = `${100 * share}%`;
    track.append(filled);
    item.append(element("span", "name", name), element("span", "value", percent(share)), track);
    return item;
  };
  const sentence = text => text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
  const say = text => panel.replaceChildren(element("p", "problem", sentence(text)));

  // Only where both are there is there something to share out. It takes the model longer than the
  // prediction, which is not kept waiting for it.
  const explain = async (number, question) => {
    const part = element("div", "reasons");
    try {
      const response = await fetch("/explain", { method: "POST", body: question });
      const reasons = await response.json();
      const shown = response.ok ? REASONS.flatMap(show => show(reasons)) : [element("p", "problem", sentence(reasons.error))];
      part.append(element("h2", "", "What it rests on"), ...shown);
    } catch {
      return; // the prediction stands; the next question says that nobody answers
    }
    if (number === latest) panel.append(part);
  };

  // Items of the index, where one is served.
  const nearItem = near => {
    const item = element("li");
    if (near.picture !== null) {
      const shown = element("img");
      shown.alt = `Picture of ${near.id}`;
      shown.src = `data:image/jpeg;base64,${near.picture}`;
      item.append(shown);
    }
    item.append(element("span", "value", near.score.toFixed(3)), element("span", "name", near.text || near.id));
    return item;
  };
  const compare = async (number, question) => {
    const part = element("div", "reasons");
    try {
      const response = await fetch(form.dataset.index, { method: "POST", body: question });
      const nearest = await response.json();
      if (!response.ok || !nearest.items.length) return;
      const list = element("ol", "near");
      list.append(...nearest.items.map(nearItem));
      part.append(element("h2", "", "Most similar items"), list);
      if (nearest.note) part.append(element("p", "note", `${nearest.note[0].toUpperCase()}${nearest.note.slice(1)}.`));
    } catch {
      return; // as above
    }
    if (number === latest) panel.append(part);
  };

  const ask = async () => {
    const number = ++latest;
    const question = new FormData(form);
    const chosen = picture && picture.files[0];
    if (!chosen) question.delete("picture");
    else if (chosen.size > form.dataset.bytes) {
      say(`the picture is larger than ${Math.floor(form.dataset.bytes / 2 ** 20)} MB`);
      return;
    }
    form.setAttribute("aria-busy", "true");
    let show, isExplained = false, isCompared = false;
    try {
      const response = await fetch(form.action, { method: "POST", body: question });
      const prediction = await response.json();
      isExplained = response.ok && Boolean(chosen) && prediction.predicted !== null && !prediction.missing.length && question.has("text");
      isCompared = response.ok && "index" in form.dataset && prediction.predicted !== null;
      show = () => response.ok
        ? panel.replaceChildren(...PARTS.flatMap(part => part(prediction)))
        : say(prediction.error);
    } catch {
      show = () => say("the server does not answer; it may have ended");
    }
    if (number !== latest) return;
    form.removeAttribute("aria-busy");
    show();
    panel.scrollIntoView({ block: "nearest" }); // on a narrow screen it is below
    if (isExplained) await explain(number, question);
    if (isCompared) await compare(number, question);
  };
  form.addEventListener("submit", event => { event.preventDefault(); ask(); });
  form.addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  if (!picture) return;
  const drop = document.getElementById("drop");
  const preview = document.getElementById("preview");
  const remove = document.getElementById("remove");
  const how = document.getElementById("how");

  const update = () => {
    if (preview.src) URL.revokeObjectURL(preview.src);
    const chosen = picture.files[0];
    preview.hidden = remove.hidden = !chosen;
    how.hidden = Boolean(chosen);
    if (chosen) preview.src = URL.createObjectURL(chosen);
    else preview.removeAttribute("src");
  };
  // Of what is dropped or pasted, the first file; a text that is pasted goes where it goes.
  const take = (event, files) => {
    if (!files.length) return;
    event.preventDefault();
    const list = new DataTransfer();
    list.items.add(files[0]);
    picture.files = list.files;
    update();
  };
  picture.addEventListener("change", update);
  preview.addEventListener("error", () => { preview.hidden = true; }); // the server says what is wrong
  remove.addEventListener("click", () => { picture.value = ""; update(); picture.focus(); });
  document.addEventListener("paste", event => take(event, event.clipboardData.files));
  document.addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
  document.addEventListener("drop", event => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event, event.dataTransfer.files);
  });
  update(); // a browser that goes back keeps what was chosen
})();
