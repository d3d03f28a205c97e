"use strict";
// Shows the network and the split that the address names: index.html#lenet/relu2.
{
  const cells = new Map([...document.querySelectorAll(".cell[id]")].map((cell) => [cell.id, cell]));
  const links = document.querySelectorAll(".chain a, .networks a");

  const choose = (name) => {
    const cell = cells.get(name);
    if (!cell) return;
    const network = cell.closest(".network").dataset.network;
    for (const each of document.querySelectorAll(".network, .cell"))
      each.classList.toggle("chosen", each.dataset.cell === name || each.dataset.network === network);
    for (const link of links) {
      const chosen = link.dataset.network
        ? link.dataset.network === network
        : decodeURIComponent(link.hash.slice(1)) === name;
      chosen ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
    }
    for (const band of document.querySelectorAll(".here"))
      band.classList.toggle("chosen", band.dataset.cell === name);
    document.title = `Splitzoo: ${cell.getAttribute("aria-label")}`;
  };

  const first = document.querySelector(".network.chosen .cell.chosen[id]")?.id;
  const named = () => decodeURIComponent(location.hash.slice(1));
  const follow = () => choose(cells.has(named()) ? named() : first);
  follow();
  addEventListener("hashchange", follow);
  addEventListener("click", (event) => {
    // Stay where the reader is: to follow the link would scroll, and take the focus with it.
    const link = event.target.closest("a, [data-to]");
    const name = link?.dataset.to ?? decodeURIComponent(link?.hash?.slice(1) ?? "");
    if (!cells.has(name) || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    if (name !== named()) history.pushState(null, "", `#${name}`);
    choose(name);
  });
}
