// The events of a run as one list that scrolls over all of them, and that grows while the run goes on. Only some rows around the place that is read are in the
// document: others are fetched as pages of the list by the ids of its rows. Everything is written as text.
const list = document.querySelector("[data-events]");
const MostRows = 150;
const MostHeld = 50;
const Near = 600;

if (list) {
  const { order, type, stream, run } = list.dataset;
  const rows = list.querySelector("tbody");
  const frame = rows.closest(".scroll");
  const newestFirst = order !== "oldest";

  // Whether there are rows before the first one in the list, and after the last one.
  const more = { before: Boolean(document.querySelector("a[rel=prev]")), after: Boolean(document.querySelector("a[rel=next]")) };
  const idOf = (row) => BigInt(row.id.slice(1));
  const newest = () => (newestFirst ? rows.firstElementChild : rows.lastElementChild);

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text) made.textContent = text;
    return made;
  };

  const link = (href, text) => {
    const made = element("a", "", text);
    made.href = href;
    return made;
  };

  const query = (parameters) => {
    const all = new URLSearchParams();
    if (!newestFirst) all.set("order", "oldest");
    for (const [name, value] of Object.entries(parameters)) {
      if (value) all.set(name, value);
    }
    return `?${all}`;
  };

  const changed = () => {
    list.querySelector(".empty")?.toggleAttribute("hidden", rows.childElementCount > 0);
    frame.hidden = rows.childElementCount === 0;
    document.dispatchEvent(new Event("crawldata:rows"));
  };

  // A page of the server, as a document that runs nothing.
  const fetchPage = (address, wanted = "[data-events]") => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.onload = () => (request.response?.querySelector(wanted) ? resolve(request.response) : reject(new Error(`${request.status}`)));
    request.onerror = () => reject(new Error("no answer"));
    request.send();
  });

  const rowsOf = (page) => [...page.querySelectorAll("[data-events] tbody > tr")].map((row) => document.importNode(row, true));

  // Changes rows around the one that is at the top of the frame, which stays where it is.
  const keepPlace = (change) => {
    const top = frame.getBoundingClientRect().top;
    const kept = [...rows.children].find((row) => row.getBoundingClientRect().bottom > top);
    const before = kept?.getBoundingClientRect().top;
    change();
    if (kept?.isConnected) frame.scrollTop += kept.getBoundingClientRect().top - before;
  };

  const cut = (side) => {
    while (rows.childElementCount > MostRows) {
      more[side] = true;
      (side === "before" ? rows.firstElementChild : rows.lastElementChild).remove();
    }
  };

  const status = element("span", "live");
  status.setAttribute("role", "status");
  const say = (text, state = "") => {
    if (status.textContent !== text) status.textContent = text;
    status.dataset.state = state;
  };

  // One page at a time.
  let loading = null;
  const load = (work) => {
    const own = (loading ?? Promise.resolve()).then(work).catch(() => say("Not loaded. Scroll to try again.", "off")).finally(() => {
      if (loading === own) {
        loading = null;
        askFlush();
      }
    });
    loading = own;
    return own;
  };

  const loadMore = (side) => load(async () => {
    const edge = side === "before" ? rows.firstElementChild : rows.lastElementChild;
    const towardsNewer = (side === "before") === newestFirst;
    const page = await fetchPage(query({ type, [towardsNewer ? "after" : "before"]: `${idOf(edge)}` }));
    const added = rowsOf(page);
    more[side] = added.length > 0 && Boolean(page.querySelector(side === "before" ? "a[rel=prev]" : "a[rel=next]"));
    keepPlace(() => {
      rows[side === "before" ? "prepend" : "append"](...added);
      cut(side === "before" ? "after" : "before");
    });
    changed();
  });

  // The first or the last rows of the whole list.
  const loadEnd = (side) => load(async () => {
    const oldest = (side === "after") === newestFirst;
    const page = await fetchPage(query({ type, ...(oldest ? { after: "-9223372036854775808" } : { before: "9223372036854775807" }) }));
    rows.replaceChildren(...rowsOf(page));
    more[side] = false;
    more[side === "before" ? "after" : "before"] = Boolean(page.querySelector(side === "before" ? "a[rel=next]" : "a[rel=prev]"));
    changed();
    frame.scrollTop = side === "before" ? 0 : frame.scrollHeight;
  });

  const fill = async () => {
    const below = () => frame.scrollHeight - frame.clientHeight - frame.scrollTop;
    if (loading || frame.hidden) return;
    if (more.after && below() < Near) await loadMore("after");
    else if (more.before && frame.scrollTop < Near) await loadMore("before");
  };

  // Live.
  const head = newestFirst ? "before" : "after";
  const pill = element("button", "pill");
  pill.type = "button";
  pill.hidden = true;
  let held = []; // Events that are not shown yet, the newest MostHeld of them.
  let lost = null; // The last one that is neither shown nor held.
  let count = 0; // Infinity when it is not known.
  let last = list.dataset.last;
  let source = null;
  let pause = 1000;
  let frameAsked = false;
  let cost = 0; // Milliseconds that the last change took, with its layout.
  let isOutdated = document.querySelector("h1 :is(.badge-pending, .badge-stale)") !== null;

  const isReading = () => {
    const away = newestFirst ? frame.scrollTop : frame.scrollHeight - frame.clientHeight - frame.scrollTop;
    return !frame.hidden && (away > 8 || rows.querySelector("details[open]") !== null || rows.contains(document.activeElement));
  };

  const toRow = (one) => {
    const row = element("tr");
    const address = `${run}/events/${one.id}`;
    row.id = `e${one.id}`;
    const cells = ["number", "", "main", ""].map((className) => row.appendChild(element("td", className)));
    cells[0].append(link(address, one.id));
    const only = link(query({ type: one.event_type }), one.label ?? one.event_type);
    only.className = "plain";
    only.title = "Only this type";
    cells[1].append(only);
    if (one.text === undefined) {
      cells[2].append(element("code", "", one.line));
    } else {
      const details = cells[2].appendChild(element("details", "json"));
      details.appendChild(element("summary")).append(element("code", "", one.line));
      details.append(element("pre", "", one.text));
      if (one.is_cut) details.appendChild(element("p", "note", "Shortened. ")).append(link(address, "All of it"));
    }
    const time = cells[3].appendChild(element("time", "", one.created_at.slice(0, 19).replace("T", " ")));
    time.dateTime = time.title = one.created_at;
    return row;
  };

  const show = () => {
    pill.hidden = count === 0;
    pill.textContent = `${newestFirst ? "↑" : "↓"} ${count === Infinity ? "many" : count.toLocaleString("en")} new`;
    if (source?.readyState !== EventSource.OPEN) return;
    if (more[head] || isReading()) say("Live, paused while you read", "paused");
    else say("Live", "on");
  };

  const flush = () => {
    const begun = performance.now();
    frameAsked = false;
    if (more[head] || loading || isReading()) {
      show();
      return;
    }

    const known = newest() ? idOf(newest()) : null;
    if (lost !== null && (known === null || lost > known)) {
      // What is held does not follow what is shown.
      rows.replaceChildren();
      more[newestFirst ? "after" : "before"] = true;
      if (held.length === 0) {
        lost = null;
        loadEnd(head).then(flush);
        return;
      }
    }

    const added = held.filter((one) => known === null || BigInt(one.id) > known).map(toRow);
    [held, lost, count] = [[], null, 0];
    if (added.length > 0) {
      if (newestFirst) rows.prepend(...added.reverse());
      else rows.append(...added);
      cut(newestFirst ? "after" : "before");
      changed();
      if (!newestFirst) frame.scrollTop = frame.scrollHeight;
      setTimeout(() => { cost = performance.now() - begun; });
    }
    show();
  };

  const askFlush = () => {
    if (!frameAsked) {
      frameAsked = true;

      // In a flood, most of the time is the reader's.
      setTimeout(() => requestAnimationFrame(flush), Math.min(500, 2 * cost));
    }
  };

  const toHead = () => loadEnd(head).then(() => {
    document.activeElement?.blur();
    flush();
  });

  // What is above the tabs.
  const headOf = (page) => {
    const nodes = [...page.querySelector("main").childNodes];
    return nodes.slice(0, nodes.findIndex((node) => node.className === "tabs"));
  };

  // The server draws it on a tab of its own.
  const loadStrip = async () => {
    const place = element("figure", "strip");
    document.querySelector(".tabs").before(place);
    const drawn = await fetchPage("?tab=time", "[data-strip], .empty").then((page) => page.querySelector("[data-strip]"), () => null);
    if (drawn) place.replaceWith(document.importNode(drawn, true));
    else place.remove();
    document.dispatchEvent(new Event("crawldata:rows"));
  };

  const refreshHead = async () => {
    const fresh = headOf(await fetchPage("?tab=events"));
    for (const node of headOf(document)) node.remove();
    document.querySelector("main").prepend(...fresh.map((node) => document.importNode(node, true)));
    changed();
    await loadStrip();
  };

  const close = () => {
    source?.close();
    source = null;
  };

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(last ? `${stream}?after=${last}` : stream);
    source.onopen = () => {
      pause = 1000;
      show();
    };
    source.onmessage = (message) => {
      last = message.lastEventId;
      for (const one of JSON.parse(message.data)) {
        if (type && one.event_type !== type) continue;
        held.push(one);
        count++;
      }
      for (const one of held.splice(0, Math.max(0, held.length - MostHeld))) lost = BigInt(one.id);
      askFlush();
      if (isOutdated) {
        isOutdated = false;
        refreshHead().catch(() => {});
      }
    };
    source.addEventListener("gap", (message) => {
      last = message.lastEventId;
      [held, lost] = [[], BigInt(last)];
      count = Infinity;
      askFlush();
    });
    source.addEventListener("end", () => {
      close();
      document.removeEventListener("visibilitychange", visible);
      say("The run has ended");
      askFlush();
      refreshHead().catch(() => {});
    });
    source.onerror = () => {
      say("Reconnecting …", "off");
      if (source?.readyState === EventSource.CLOSED) {
        // The server refused it. A browser does not try again by itself then.
        close();
        pause = Math.min(pause * 2, 60_000);
        setTimeout(open, pause);
      }
    };
  };

  const visible = () => {
    if (document.hidden) close();
    else open();
  };

  // Keys: the focus goes from row to row.
  const move = (by) => {
    const all = [...rows.children];
    const at = all.indexOf(document.activeElement?.closest?.("tr"));
    const top = frame.getBoundingClientRect().top;
    const next = at >= 0 ? all[at + by] : all.find((row) => row.getBoundingClientRect().top >= top);
    next?.querySelector("a").focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  };

  const keys = (pressed) => {
    if (pressed.altKey || pressed.ctrlKey || pressed.metaKey || pressed.target.closest?.("input, select, textarea")) return;
    const inside = frame.contains(document.activeElement);
    const act = { j: () => move(1), k: () => move(-1) }[pressed.key] ?? (inside && {
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      Home: () => loadEnd("before").then(() => move(0)),
      End: () => loadEnd("after").then(() => move(0)),
    }[pressed.key]);
    if (act) {
      pressed.preventDefault();
      act();
    }
  };

  frame.classList.add("window");
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", "Events");
  list.querySelector(".pager")?.toggleAttribute("hidden", true);
  frame.before(element("div", "live-bar"));
  frame.previousElementSibling.append(status, pill);
  cut("after");
  frame.addEventListener("scroll", () => {
    fill();
    if (count > 0 || source) askFlush();
  }, { passive: true });
  addEventListener("keydown", keys);
  pill.addEventListener("click", toHead);
  fill();
  if (last) loadStrip();
  if (stream) {
    document.addEventListener("visibilitychange", visible);
    open();
  }
}
