"use strict";
// The table of every row: what the address says is filtered, sorted and compared, and the other
// way round. rows.html#in=query_free&at=lenet/relu2&sort=-ssim&vs=NAME,NAME
{
  const form = document.querySelector(".filter");
  const table = document.querySelector("table.rows");
  const lines = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
  const marks = document.querySelectorAll(".chart [data-name]");
  const section = document.querySelector("#compare");
  const side = section.querySelector("table");
  const fields = [...form.elements].filter((each) => each.name);
  let chosen = [];
  let writing = false;

  // What a row's file says, once it is loaded: `fetch` fails on file addresses, scripts do not.
  const details = new Map();
  window.splitzoo = { row: (name, found) => details.set(name, found) };
  const loaded = (name) =>
    new Promise((done) => {
      if (details.has(name)) return done();
      const script = document.createElement("script");
      script.src = `rows/${encodeURIComponent(name)}.js`;
      script.onload = script.onerror = () => done();
      document.head.append(script);
    });

  const filter = () => {
    let count = 0;
    const shown = new Set();
    for (const line of lines) {
      line.hidden = fields.some(
        (field) => field.value && !(field.name === "verified"
          ? line.dataset.verified === field.value
          : line.dataset[field.name].split(" ").includes(field.value)),
      );
      if (!line.hidden) shown.add(line.dataset.name);
      count += !line.hidden;
    }
    for (const mark of marks) mark.toggleAttribute("hidden", !shown.has(mark.dataset.name));
    form.querySelector("output").textContent = `${count} of ${lines.length} rows`;
  };

  const element = (tag, content, ...classes) => {
    const made = document.createElement(tag);
    made.append(content);
    made.classList.add(...classes);
    return made;
  };
  const picture = (name, words) => {
    const image = new Image(320, 32);
    image.src = `pictures/${encodeURIComponent(name)}.png`;
    image.alt = words;
    return image;
  };
  const difference = (one, other, metric, digits) => {
    if (!one || !other || one.set !== other.set || `${one.indices}` !== `${other.indices}`) return "–";
    const values = one[metric].map((value, place) => value - other[metric][place]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const half = one.quantile * Math.sqrt(square / (values.length - 1) / values.length);
    const sign = mean >= 0 ? "+" : "−";
    return `${sign}${Math.abs(mean).toFixed(digits)}` + (half >= 0 ? ` ± ${half.toFixed(digits)}` : "");
  };

  const compare = async () => {
    const names = [...chosen];
    section.hidden = names.length < 2;
    if (section.hidden) return;
    await Promise.all(names.map(loaded));
    if (`${names}` !== `${chosen}`) return;
    const columns = names.map((name) => lines.find((line) => line.dataset.name === name));
    const rows = [];
    const row = (title, cells) => {
      const made = document.createElement("tr");
      const head = element("th", title);
      head.scope = "row";
      made.append(head, ...cells.map((cell) => element("td", cell)));
      rows.push(made);
    };
    const text = (line, place) => line.cells[place].textContent.trim();
    row("pictures", columns.map((line) => {
      const pair = element("div", picture(line.dataset.set, "the originals"), "pair");
      pair.style.setProperty("--n", line.dataset.pictured);
      pair.append(picture(line.dataset.name, `what ${text(line, 1)} recovers`));
      return pair;
    }));
    heads.forEach((head, place) => {
      if (place === 1) row(head.textContent, columns.map((line) => {
        const name = document.createDocumentFragment();
        name.append(...[...line.cells[1].childNodes].map((node) => node.cloneNode(true)));
        return name;
      }));
      else if (place) row(head.textContent, columns.map((line) => text(line, place)));
    });
    const found = names.map((name) => details.get(name));
    for (const [metric, title, digits] of [["psnr", "PSNR, dB", 2], ["ssim", "SSIM", 4]])
      row(`${title}, more than the first`, found.map((one, place) => (place ? difference(one, found[0], metric, digits) : "")));
    side.replaceChildren(...rows);
  };

  const write = () => {
    const state = new URLSearchParams();
    for (const field of fields) if (field.value) state.set(field.name, field.value);
    const head = heads.find((each) => each.hasAttribute("aria-sort"));
    if (head) state.set("sort", (head.getAttribute("aria-sort") === "descending" ? "-" : "") + head.dataset.key);
    if (chosen.length) state.set("vs", chosen.join(","));
    const words = state.toString().replaceAll("%2F", "/").replaceAll("%2C", ",");
    history.replaceState(null, "", words ? `#${words}` : location.pathname + location.search);
  };

  const read = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const field of fields) {
      const wanted = state.get(field.name) ?? "";
      field.value = [...field.options].some((option) => option.value === wanted) ? wanted : "";
    }
    chosen = (state.get("vs") ?? "").split(",").filter((name) => lines.some((line) => line.dataset.name === name));
    for (const line of lines) line.cells[0].firstElementChild.checked = chosen.includes(line.dataset.name);
    const sort = state.get("sort") ?? "";
    const head = heads.find((each) => each.dataset.key && each.dataset.key === sort.replace(/^-/, ""));
    const wanted = sort.startsWith("-") ? "descending" : "ascending";
    if (head) {
      writing = true;
      while (head.getAttribute("aria-sort") !== wanted) head.firstElementChild.click();
      writing = false;
    }
    filter();
    compare();
  };

  form.addEventListener("change", () => { filter(); write(); });
  form.addEventListener("reset", () => setTimeout(() => { filter(); write(); }));
  form.addEventListener("submit", (event) => event.preventDefault());
  table.addEventListener("sorted", () => writing || write());
  table.addEventListener("change", (event) => {
    const name = event.target.closest("tr").dataset.name;
    chosen = event.target.checked ? [...chosen, name] : chosen.filter((each) => each !== name);
    compare();
    write();
  });
  for (const mark of marks)
    mark.addEventListener("click", () => location.assign(`rows/${encodeURIComponent(mark.dataset.name)}.html`));
  addEventListener("hashchange", read);
  read();
}
