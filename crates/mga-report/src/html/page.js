'use strict';

// A click on a head sorts by its column; a second one turns the order round. Cells without a value come last either way.
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

function sort(table, head) {
  const heads = [...head.parentElement.children];
  const column = heads.indexOf(head);
  const ascending = head.getAttribute('aria-sort') !== 'ascending';
  const number = head.hasAttribute('data-number');
  const key = (row) => row.cells[column].getAttribute('data-key');
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === '' || y === '') return (x === '') - (y === '');
    const order = number ? Number(x) - Number(y) : collator.compare(x, y);
    return ascending ? order : -order;
  };
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort(compare));
  for (const other of heads) other.setAttribute('aria-sort', 'none');
  head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
}

for (const table of document.querySelectorAll('table.sortable')) {
  for (const head of table.tHead.rows[0].cells) {
    head.querySelector('button').addEventListener('click', () => sort(table, head));
  }
}

// Every word has to be found somewhere in the row.
for (const input of document.querySelectorAll('input[data-filters]')) {
  const table = document.getElementById(input.dataset.filters);
  const output = document.getElementById('count-' + input.dataset.filters);
  const what = table.dataset.rows;
  input.addEventListener('input', () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...table.tBodies[0].rows];
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    output.value = words.length ? `${shown} of ${rows.length} ${what}` : `${rows.length} ${what}`;
  });
}

// An arm that is switched off fades within plots of several arms; what is its alone is hidden.
for (const box of document.querySelectorAll('input[data-shows]')) {
  box.addEventListener('change', () => {
    for (const element of document.querySelectorAll(`main [data-series="${box.dataset.shows}"]`)) {
      if (element instanceof SVGElement) element.classList.toggle('off', !box.checked);
      else element.hidden = !box.checked;
    }
  });
}
