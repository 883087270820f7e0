// Lists that grow while something goes on: the events of a run, and the log of a session. They stand still while somebody reads. Everything is written as text.

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

// JSON on a line, which unfolds when it is long.
const json = (line, text, isCut, whole) => {
  if (text === undefined) return element("code", "", line);
  const made = element("details", "json");
  made.appendChild(element("summary")).append(element("code", "", line));
  made.append(element("pre", "", text));
  if (isCut) made.appendChild(element("p", "note", "Shortened. ")).append(whole ?? "");
  return made;
};

const moment = (iso) => {
  const made = element("time", "", iso.slice(0, 19).replace("T", " "));
  made.dateTime = made.title = iso;
  return made;
};

const cellsOf = (row, classNames) => classNames.map((className) => row.appendChild(element("td", className)));

// A page of the server, as a document that runs nothing.
const fetchPage = (address, wanted = "[data-events]") => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.open("GET", address);
  request.responseType = "document";
  request.onload = () => (request.response?.querySelector(wanted) ? resolve(request.response) : reject(new Error(`${request.status}`)));
  request.onerror = () => reject(new Error("no answer"));
  request.send();
});

const rowsOf = (page, list) => [...page.querySelectorAll(`${list} tbody > tr`)].map((row) => document.importNode(row, true));

// Replaces what is before a heading, or before tabs, by the same of a fresh page.
const replaceHead = (page, end) => {
  const headOf = (root) => {
    const nodes = [...root.querySelector("main").childNodes];
    return nodes.slice(0, nodes.indexOf(root.querySelector(end)));
  };
  for (const node of headOf(document)) node.remove();
  document.querySelector("main").prepend(...headOf(page).map((node) => document.importNode(node, true)));
};

// The frame in which a list scrolls, below a line that says whether it is live, and how much is new.
const makeWindow = (frame, name) => {
  const status = element("span", "live");
  status.setAttribute("role", "status");
  const pill = element("button", "pill");
  pill.type = "button";
  pill.hidden = true;
  frame.classList.add("window");
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", name);
  frame.before(element("div", "live-bar"));
  frame.previousElementSibling.append(status, pill);
  const say = (text, state = "") => {
    if (status.textContent !== text) status.textContent = text;
    status.dataset.state = state;
  };
  const sayLost = (since) => {
    if (status.querySelector("time")?.dateTime === since.toISOString()) return;
    status.replaceChildren("Not live since ", moment(since.toISOString()), ". Trying again …");
    status.dataset.state = "off";
    document.dispatchEvent(new Event("crawldata:rows"));
  };
  return { say, sayLost, pill };
};

// Calls the work once before a next frame. In a flood, most of the time is the reader's. The work returns whether it changed the document.
const inFrames = (work) => {
  let isAsked = false;
  let cost = 0; // Milliseconds that the last change took, with its layout.
  const run = () => {
    const begun = performance.now();
    isAsked = false;
    if (work()) setTimeout(() => { cost = performance.now() - begun; });
  };
  return () => {
    if (isAsked) return;
    isAsked = true;
    setTimeout(() => requestAnimationFrame(run), Math.min(500, 2 * cost));
  };
};

// Reads a stream from an id on, while the page is visible.
const follow = (stream, after, { opened, lost, came, missed, ended }) => {
  let last = after;
  let source = null;
  let isLive = false;
  let since = null; // The time from which on the list is not live.
  let pause = 1000;
  let proof = null;

  const close = () => {
    clearTimeout(proof);
    source?.close();
    [source, isLive] = [null, false];
  };

  const begin = () => {
    if (isLive) return;
    clearTimeout(proof);
    [isLive, since, pause] = [true, null, 1000];
    opened();
  };

  const lose = () => {
    clearTimeout(proof);
    isLive = false;
    since ??= new Date();
    lost(since);
  };

  // A browser does not come again by itself then.
  const comeLater = () => {
    close();
    lose();
    pause = Math.min(pause * 2, 60_000);
    setTimeout(open, pause);
  };

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(last ? `${stream}?after=${last}` : stream);
    source.onopen = () => {
      // A stream that has failed may be open for a moment only.
      if (pause > 1000) proof = setTimeout(begin, 5000);
      else begin();
    };
    source.onmessage = (message) => {
      begin();
      last = message.lastEventId;
      came(JSON.parse(message.data));
    };
    source.addEventListener("gap", (message) => {
      begin();
      last = message.lastEventId;
      missed(BigInt(last));
    });
    source.addEventListener("end", (message) => {
      if (JSON.parse(message.data).reason === "failed") {
        comeLater();
        return;
      }
      close();
      document.removeEventListener("visibilitychange", visible);
      ended();
    });
    source.onerror = () => {
      // The server refused it, or the browser comes again.
      if (source?.readyState === EventSource.CLOSED) comeLater();
      else lose();
    };
  };

  const visible = () => {
    if (document.hidden) close();
    else open();
  };

  document.addEventListener("visibilitychange", visible);
  open();
  return { get isOpen() { return isLive; } };
};

// The events of a run as one list that scrolls over all of them. Only some rows around the place that is read are in the document: others are fetched as pages
// of the list by the ids of its rows.
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

  const { say, sayLost, pill } = makeWindow(frame, "Events");

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
    const added = rowsOf(page, "[data-events]");
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
    rows.replaceChildren(...rowsOf(page, "[data-events]"));
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
  let held = []; // Events that are not shown yet, the newest MostHeld of them.
  let lost = null; // The last one that is neither shown nor held.
  let count = 0; // Infinity when it is not known.
  let live = null;
  let isOutdated = document.querySelector("h1 :is(.badge-pending, .badge-stale)") !== null;

  const isReading = () => {
    const away = newestFirst ? frame.scrollTop : frame.scrollHeight - frame.clientHeight - frame.scrollTop;
    return !frame.hidden && (away > 8 || rows.querySelector("details[open]") !== null || rows.contains(document.activeElement));
  };

  const toRow = (one) => {
    const row = element("tr");
    const address = `${run}/events/${one.id}`;
    row.id = `e${one.id}`;
    const cells = cellsOf(row, ["number", "", "main", ""]);
    cells[0].append(link(address, one.id));
    const only = link(query({ type: one.event_type }), one.label ?? one.event_type);
    only.className = "plain";
    only.title = "Only this type";
    cells[1].append(only);
    cells[2].append(json(one.line, one.text, one.is_cut, link(address, "All of it")));
    cells[3].append(moment(one.created_at));
    return row;
  };

  const show = () => {
    pill.hidden = count === 0;
    pill.textContent = `${newestFirst ? "↑" : "↓"} ${count === Infinity ? "many" : count.toLocaleString("en")} new`;
    if (!live?.isOpen) return;
    if (more[head] || isReading()) say("Live, paused while you read", "paused");
    else say("Live", "on");
  };

  const flush = () => {
    if (more[head] || loading || isReading()) {
      show();
      return false;
    }

    const known = newest() ? idOf(newest()) : null;
    if (lost !== null && (known === null || lost > known)) {
      // What is held does not follow what is shown.
      rows.replaceChildren();
      more[newestFirst ? "after" : "before"] = true;
      if (held.length === 0) {
        lost = null;
        loadEnd(head).then(flush);
        return true;
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
    }
    show();
    return added.length > 0;
  };

  const askFlush = inFrames(flush);

  const toHead = () => loadEnd(head).then(() => {
    document.activeElement?.blur();
    flush();
  });

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
    replaceHead(await fetchPage("?tab=events"), ".tabs");
    changed();
    await loadStrip();
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

  list.querySelector(".pager")?.toggleAttribute("hidden", true);
  cut("after");
  frame.addEventListener("scroll", () => {
    fill();
    if (count > 0 || live) askFlush();
  }, { passive: true });
  addEventListener("keydown", keys);
  pill.addEventListener("click", toHead);
  fill();
  if (list.dataset.last) loadStrip();
  if (stream) {
    live = follow(stream, list.dataset.last, {
      opened: show,
      lost: sayLost,
      came: (events) => {
        for (const one of events) {
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
      },
      missed: (id) => {
        [held, lost] = [[], id];
        count = Infinity;
        askFlush();
      },
      ended: () => {
        say("The run has ended");
        askFlush();
        refreshHead().catch(() => {});
      },
    });
  }
}

// The first page of a session's log, in the order of its times. Lines come in the order of their ids.
const log = document.querySelector("[data-log]");
const MostLines = 500;
const MostHeldLines = 200;

if (log?.dataset.stream) {
  const { level, stream, after } = log.dataset;
  const rows = log.querySelector("tbody");
  const frame = rows.closest(".scroll");
  const { say, sayLost, pill } = makeWindow(frame, "Log");
  let held = []; // Lines that are not shown yet.
  let count = 0;
  let isMissed = false; // Whether lines are neither shown nor held, so that the page has to be fetched.
  let isLoading = false;
  let isOutdated = document.querySelector("h1 :is(.badge-queued, .badge-stale)") !== null;
  let live = null;

  const hasOlder = () => log.querySelector("a[rel=next]") !== null;

  const isNewer = (one, row) => {
    const [time, other] = [Date.parse(one.timestamp), Date.parse(row.querySelector("time").dateTime)];
    return time === other ? BigInt(one.id) > BigInt(row.id.slice(1)) : time > other;
  };

  // A line that a page has already may come once more. One that is older than all of this page is on another.
  const isNew = (one) => (!level || one.level === level) && document.getElementById(`l${one.id}`) === null
    && !(hasOlder() && rows.lastElementChild && !isNewer(one, rows.lastElementChild));

  const isReading = () =>
    !frame.hidden && (frame.scrollTop > 8 || rows.querySelector("details[open]") !== null || rows.contains(document.activeElement));

  const toRow = (one) => {
    const row = element("tr");
    row.id = `l${one.id}`;
    const [time, kind, main] = cellsOf(row, ["", "together", "main"]);
    time.append(moment(one.timestamp));
    kind.append(element("span", `badge badge-${one.level}`, one.level), " ", element("span", "quiet", one.event_type));
    main.append(element("span", "text", one.message));
    if (one.details !== undefined) main.appendChild(element("div")).append(json(one.details, one.text, one.is_cut));
    return row;
  };

  const changed = () => {
    log.querySelector(".empty")?.toggleAttribute("hidden", rows.childElementCount > 0);
    frame.hidden = rows.childElementCount === 0;
    document.dispatchEvent(new Event("crawldata:rows"));
  };

  const show = () => {
    pill.hidden = count === 0;
    pill.textContent = `↑ ${count.toLocaleString("en")} new`;
    if (!live?.isOpen) return;
    if (isReading()) say("Live, paused while you read", "paused");
    else say("Live", "on");
  };

  const add = (one) => {
    let next = rows.firstElementChild;
    while (next && !isNewer(one, next)) next = next.nextElementSibling;
    rows.insertBefore(toRow(one), next);
  };

  const cut = () => {
    while (rows.childElementCount > MostLines) {
      rows.lastElementChild.remove();

      // The next page begins behind lines that are no longer here.
      log.querySelector(".pager")?.remove();
    }
  };

  const take = (page) => {
    rows.replaceChildren(...rowsOf(page, "[data-log]"));
    log.querySelector(".pager")?.remove();
    const pager = page.querySelector("[data-log] .pager");
    if (pager) log.append(document.importNode(pager, true));
    [held, count] = [held.filter(isNew), 0];
    changed();
  };

  const fetchLog = () => fetchPage(location.search || "?", "[data-log]");

  const flush = () => {
    if (isLoading || isReading()) {
      show();
      return false;
    }

    if (isMissed) {
      [isLoading, isMissed] = [true, false];
      fetchLog().then(take).then(askFlush, () => {
        isMissed = true;
        say("Not loaded. Scroll to try again.", "off");
      }).finally(() => { isLoading = false; });
      return false;
    }

    const added = held.filter(isNew);
    [held, count] = [[], 0];
    added.forEach(add);
    if (added.length > 0) {
      cut();
      changed();
    }
    show();
    return added.length > 0;
  };

  const askFlush = inFrames(flush);

  frame.addEventListener("scroll", askFlush, { passive: true });
  pill.addEventListener("click", () => {
    for (const details of rows.querySelectorAll("details[open]")) details.open = false;
    document.activeElement?.blur();
    frame.scrollTop = 0;
    flush();
  });
  live = follow(stream, after, {
    opened: show,
    lost: sayLost,
    came: (lines) => {
      const added = lines.filter(isNew);
      held.push(...added);
      count += added.length;
      if (held.length > MostHeldLines) [held, isMissed] = [[], true];
      askFlush();
      if (isOutdated && lines.some((one) => document.getElementById(`l${one.id}`) === null)) {
        isOutdated = false;
        fetchLog().then((page) => replaceHead(page, "#log"), () => {});
      }
    },
    missed: () => {
      [held, isMissed] = [[], true];
      askFlush();
    },
    ended: () => {
      say("The session has ended");

      // The list gets each line, whatever came.
      isMissed = true;
      askFlush();
      fetchLog().then((page) => replaceHead(page, "#log"), () => {});
    },
  });
}
