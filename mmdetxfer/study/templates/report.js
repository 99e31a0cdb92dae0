'use strict';
(function () {
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const one = (selector) => document.querySelector(selector);

  /* Light and dark: as the system says, until the switch is used. */
  const root = document.documentElement;
  const theme = one('button.theme');
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme || (system.matches ? 'dark' : 'light')) === 'dark';
  const stored = (value) => {
    try { // a file opened from a disk may have no storage
      if (value) localStorage.setItem('mmdetxfer-theme', value);
      return localStorage.getItem('mmdetxfer-theme');
    } catch (error) { return null; }
  };
  const tell = () => {
    theme.setAttribute('aria-pressed', String(isDark()));
    theme.setAttribute('title', isDark() ? 'Switch to light' : 'Switch to dark');
  };
  if (['dark', 'light'].includes(stored())) root.dataset.theme = stored();
  theme.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    stored(root.dataset.theme);
    tell();
  });
  system.addEventListener('change', tell);
  tell();

  /* Tables are sorted by their heads: once, the other way round, and as they came. */
  const text = (cell) => cell.textContent.trim();
  const before = (first, second) => {
    const [a, b] = [first.dataset.sort, second.dataset.sort];
    if (a !== undefined && b !== undefined) return Number(a) - Number(b);
    return text(first).localeCompare(text(second), 'en', { numeric: true });
  };
  const isEmpty = (cell) => cell.dataset.sort === undefined && ['', '–'].includes(text(cell));
  const sortBy = (body, original, place, direction) => {
    const rows = original.slice();
    if (direction) {
      rows.sort((first, second) => {
        const [a, b] = [first.cells[place], second.cells[place]];
        if (isEmpty(a) || isEmpty(b)) return isEmpty(a) - isEmpty(b); // undefined stays last
        return direction * before(a, b);
      });
    }
    body.append(...rows);
  };
  all('table').forEach((table) => {
    const body = table.tBodies[0];
    const original = Array.from(body.rows);
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, place) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      // Of numbers the largest come first.
      const order = head.classList.contains('number') ? [-1, 1, 0] : [1, -1, 0];
      button.addEventListener('click', () => {
        const now = { ascending: 1, descending: -1 }[head.getAttribute('aria-sort')] || 0;
        const next = order[(order.indexOf(now) + 1) % 3];
        heads.forEach((other) => other.removeAttribute('aria-sort'));
        if (next) head.setAttribute('aria-sort', next > 0 ? 'ascending' : 'descending');
        sortBy(body, original, place, next);
      });
    });
  });

  /* Search: answers, parts of sections and rows of tables that have all words. */
  const field = one('#search');
  const found = one('.found');
  const search = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (element) => {
      const content = element.textContent.toLowerCase();
      return words.every((word) => content.includes(word));
    };
    // What is found stands on top.
    all('#contents, .key, .how, .notice').forEach((part) => { part.hidden = words.length > 0; });
    const answers = all('.answer').filter((answer) => {
      answer.hidden = !has(answer);
      return !answer.hidden;
    }).length;
    one('.answers').hidden = answers === 0 && words.length > 0;
    let sections = 0;
    let rows = 0;
    all('.part').forEach((section) => {
      const isWhole = words.length === 0 || has(section.querySelector('h2'));
      let isFound = isWhole;
      Array.from(section.children).slice(1).forEach((block) => {
        const table = block.querySelector('table');
        let isShown = isWhole || has(block);
        if (table) {
          const isAll = isWhole || has(table.caption) || has(table.tHead);
          const fitting = Array.from(table.tBodies[0].rows).filter((row) => {
            row.hidden = !(isAll || has(row));
            return !row.hidden;
          });
          isShown = fitting.length > 0;
          rows += fitting.length;
        }
        block.hidden = !isShown;
        isFound = isFound || isShown;
      });
      section.hidden = !isFound;
      sections += isFound;
    });
    const count = (number, word) => `${number} ${word}${number === 1 ? '' : 's'}`;
    const counts = [count(answers, 'answer'), count(sections, 'section'), count(rows, 'row')];
    found.textContent = words.length === 0 ? ''
      : answers + sections === 0 ? 'Nothing found' : `Found: ${counts.join(', ')}`;
  };
  field.addEventListener('input', search);
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { field.value = ''; search(); }
  });
  one('.controls').hidden = false;
  // A link leads to its section though the search had hidden it.
  window.addEventListener('hashchange', () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.hidden) { field.value = ''; search(); target.scrollIntoView(); }
  });

  /* A number says where it comes from. */
  const origin = one('.origin');
  document.addEventListener('click', (event) => {
    const number = event.target.closest('data, span.published');
    all('.chosen').forEach((other) => other.classList.remove('chosen'));
    origin.hidden = !number;
    if (!number) return;
    number.classList.add('chosen');
    origin.textContent = number.localName === 'data'
      ? `${number.dataset.field} = ${number.value || 'undefined'} in record ${number.dataset.record}`
      : `Published: ${number.title}`;
  });
})();
