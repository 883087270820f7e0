// Pages work without this. It switches the times between UTC and the reader's own zone, and remembers the choice. It lets two runs be ticked, and no more.
const key = "crawldata.zone";
const zone = document.querySelector("[data-zone]");

const remembered = () => {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
};

const remember = (value) => {
  try {
    localStorage.setItem(key, value);
  } catch {
    // The choice holds for this page only.
  }
};

const two = (number) => String(number).padStart(2, "0");

const local = (time) =>
  `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;

const show = (isLocal) => {
  for (const element of document.querySelectorAll("time[datetime]")) {
    element.dataset.utc ??= element.textContent;
    const time = new Date(element.dateTime);
    element.textContent = isLocal && !Number.isNaN(time.getTime()) ? local(time) : element.dataset.utc;
  }

  zone.textContent = isLocal ? Intl.DateTimeFormat().resolvedOptions().timeZone : "UTC";
};

if (zone) {
  let isLocal = remembered() === "local";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link";
  const apply = () => {
    show(isLocal);
    button.textContent = isLocal ? "Show UTC" : "Show local times";
  };
  button.addEventListener("click", () => {
    isLocal = !isLocal;
    remember(isLocal ? "local" : "utc");
    apply();
  });
  zone.parentElement.after(button);
  document.addEventListener("crawldata:rows", apply);
  apply();
}

const comparison = document.querySelector("form[data-compare]");
if (comparison) {
  const update = () => {
    const ticks = [...comparison.querySelectorAll("input[name=run]")];
    const ticked = ticks.filter((tick) => tick.checked).length;
    comparison.querySelector("button").disabled = ticked !== 2;
    for (const tick of ticks) {
      tick.disabled = ticked >= 2 && !tick.checked;
    }
  };
  comparison.addEventListener("change", update);
  addEventListener("pageshow", update);
  update();
}
