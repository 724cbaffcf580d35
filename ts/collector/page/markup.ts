/** The page, empty. */
export const MARKUP: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>headwater collector</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<header>
  <h1>
    <svg viewBox="0 0 32 24" aria-hidden="true">
      <path d="M3 6c4.3-4 8.7 4 13 0s8.7 4 13 0M3 12c4.3-4 8.7 4 13 0s8.7 4 13 0M3 18c4.3-4 8.7 4 13 0s8.7 4 13 0"/>
    </svg>
    headwater <span>collector</span>
  </h1>
  <p id="state" role="status">connecting</p>
</header>
<main>
  <section id="topics" aria-label="Topics"></section>
  <section id="records">
    <div class="bar">
      <h2>Latest records</h2>
      <button id="pause" type="button" aria-pressed="false">Pause</button>
    </div>
    <table id="table" hidden>
      <thead>
        <tr><th>Time</th><th>Event</th><th>User</th><th>Topic</th><th class="number">Offset</th></tr>
      </thead>
      <tbody id="rows"></tbody>
    </table>
    <div id="empty" hidden>
      <p>Nothing has arrived yet. Send something from a page:</p>
      <pre id="snippet"></pre>
    </div>
  </section>
</main>
</body>
</html>
`
