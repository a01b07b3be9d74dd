import type { Page } from "./page.ts";
import type { Reviews } from "./reviews.ts";

/** The product page as HTML; needs nothing but itself. */
export function printPage(page: Page): string {
	return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bookinfo</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<strong class="brand">${SAIL} Bookinfo</strong>
${printLogin(page.user)}
</header>
<main>
${printDetails(page.details)}
<section class="watch">
<h2>Who answers <label><input type="checkbox" id="watch"> keep asking</label></h2>
<div id="squares" role="img" aria-label="versions of reviews that answered"></div>
<p class="legend"><span id="shares">One square for each answer of reviews, newest last. Tick the box, change a rule, and watch.</span>
<span><i class="v1"></i> v1, no stars</span> <span><i class="v2"></i> v2, black stars</span> <span><i class="v3"></i> v3, red stars</span></p>
</section>
${printReviews(page.reviews)}
</main>
<footer>${printParts(page)}</footer>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function printLogin(user: string): string {
	return user === ""
		? `<form method="post" action="/login"><input name="user" placeholder="user name, such as jason" aria-label="user name" required maxlength="40" autocomplete="off"><button>Log in</button></form>`
		: `<form method="post" action="/logout"><span>Aboard as <strong>${escape(user)}</strong></span><button>Log out</button></form>`;
}

function printDetails(details: Page["details"]): string {
	if (!details.available) {
		return `<section class="book"><h1>Details are currently unavailable.</h1><p class="muted">${escape(details.reason)}</p></section>`;
	}
	const facts = [
		["Author", details.author],
		["Year", String(details.year)],
		["Publisher", details.publisher],
		["Language", details.language],
	] as const;
	return `<section class="book">
<h1>${escape(details.title)}</h1>
<p class="summary">${escape(details.summary)}</p>
<dl>${facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${escape(value)}</dd></div>`).join("")}</dl>
</section>`;
}

function printReviews(reviews: Page["reviews"]): string {
	if (!reviews.available) {
		return `<section><h2>Reviews</h2><p class="notice">Reviews are currently unavailable.</p><p class="muted">${escape(reviews.reason)}</p></section>`;
	}
	const { ratings } = reviews;
	const color = ratings?.available ? ratings.color : "none";
	const notice =
		ratings?.available === false
			? `<p class="notice">Ratings are currently unavailable.</p><p class="muted">${escape(ratings.reason)}</p>`
			: "";
	return `<section data-reviews-version="${escape(reviews.version)}">
<h2>Reviews <small>by reviews ${escape(reviews.version)}, pod ${escape(reviews.pod)}</small></h2>
${notice}
${reviews.reviews.map((review) => printReview(review, color)).join("\n")}
</section>`;
}

function printReview(
	{ reviewer, text, stars }: Reviews["reviews"][number],
	color: string,
): string {
	const row =
		stars === undefined
			? ""
			: `<div class="stars ${color}" role="img" aria-label="${stars} of 5 stars">${"★".repeat(stars)}<span>${"★".repeat(5 - stars)}</span></div>`;
	return `<blockquote>${row}<p>${escape(text)}</p><cite>${escape(reviewer)}</cite></blockquote>`;
}

function printParts({ version, pod, details, reviews }: Page): string {
	const ratings = reviews.available ? reviews.ratings : undefined;
	const parts = [
		["productpage", `${version} (${pod})`],
		["details", who(details)],
		["reviews", who(reviews)],
		[
			"ratings",
			ratings === undefined
				? "not asked"
				: ratings.available
					? `${ratings.version} (${ratings.pod})`
					: "unavailable",
		],
	] as const;
	return parts
		.map(([name, said]) => `<span><b>${name}</b> ${escape(said)}</span>`)
		.join("");
}

function who(answer: Page["details"] | Page["reviews"]): string {
	return answer.available ? `${answer.version} (${answer.pod})` : "unavailable";
}

function escape(text: string): string {
	return text
		.replaceAll("&", "&amp;")
		.replaceAll("<", "&lt;")
		.replaceAll(">", "&gt;")
		.replaceAll('"', "&quot;");
}

const SAIL = `<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true"><path d="M4 18 L19 2 L17 18 Z" fill="currentColor"/><path d="M2 20 h19 l-3 3 h-13 z" fill="currentColor" opacity=".6"/></svg>`;

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2733; --paper: #fbfaf7; --card: #fff; --line: #e2ddd2; --muted: #6d7681; --sea: #0f5d75; --red: #c4302b; --black: #1d2733; --v1: #8a94a0; --v2: #1d2733; --v3: #c4302b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #14191f; --card: #1c232b; --line: #2d3742; --muted: #97a1ac; --sea: #6cc4dd; --red: #ff6a62; --black: #f4f2ed; --v1: #5d6873; --v2: #f4f2ed; --v3: #ff6a62; } }
* { box-sizing: border-box; }
body { margin: 0; font: 17px/1.55 Georgia, "Times New Roman", serif; color: var(--ink); background: var(--paper); }
header, footer, button, input, label, small, dt, .muted, .legend { font-family: system-ui, sans-serif; }
header { display: flex; justify-content: space-between; align-items: center; gap: 1rem; flex-wrap: wrap; padding: .8rem max(1rem, calc(50vw - 21rem)); border-bottom: 1px solid var(--line); background: var(--card); }
.brand { display: flex; align-items: center; gap: .5rem; color: var(--sea); font-size: 1.1rem; }
form { display: flex; gap: .5rem; align-items: center; font: 15px system-ui, sans-serif; }
input:not([type=checkbox]) { font-size: 15px; padding: .35rem .6rem; border: 1px solid var(--line); border-radius: 6px; background: var(--paper); color: var(--ink); width: 14rem; }
button { font-size: 15px; padding: .35rem .9rem; border: 0; border-radius: 6px; background: var(--sea); color: var(--card); cursor: pointer; }
main { max-width: 44rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 2.1rem; line-height: 1.15; margin: .6rem 0; }
h2 { font-size: 1.25rem; margin: 2rem 0 .6rem; }
small, .muted { color: var(--muted); font-size: .8rem; font-weight: normal; }
.summary { font-size: 1.08rem; }
dl { display: flex; flex-wrap: wrap; gap: .4rem 2rem; margin: 1rem 0; }
dt { color: var(--muted); font-size: .75rem; } dd { margin: 0; }
blockquote { margin: 0 0 1rem; padding: 1rem 1.2rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
blockquote p { margin: 0 0 .4rem; } cite { color: var(--muted); font-size: .9rem; }
.stars { font-size: 1.3rem; letter-spacing: .1em; line-height: 1.2; margin-bottom: .3rem; } .stars span { opacity: .18; }
.stars.red { color: var(--red); } .stars.black { color: var(--black); }
.notice { padding: .6rem .9rem; border-left: 4px solid var(--red); background: var(--card); margin: 0 0 .4rem; }
.watch { padding: .9rem 1.2rem; margin-top: 1.6rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.watch h2 { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; margin: 0 0 .7rem; }
#squares { display: flex; flex-wrap: wrap; align-content: flex-start; gap: 3px; min-height: 48px; }
.watch i { width: 14px; height: 14px; border-radius: 3px; background: var(--line); }
.watch .v1 { background: var(--v1); } .watch .v2 { background: var(--v2); } .watch .v3 { background: var(--v3); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .7rem 0 0; color: var(--muted); font-size: .8rem; }
.legend #shares { flex-basis: 100%; } .legend i { display: inline-block; width: 10px; height: 10px; margin-right: .25rem; }
label { font-size: .9rem; font-weight: normal; white-space: nowrap; }
footer { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; justify-content: center; padding: 1rem; border-top: 1px solid var(--line); color: var(--muted); font-size: .8rem; }
`;

/** Asks for the page as JSON five times a second while the box is ticked. */
const SCRIPT = `
const box = document.getElementById("watch");
const squares = document.getElementById("squares");
const shares = document.getElementById("shares");
const seen = [];
async function ask() {
  if (!box.checked) return;
  let version = "none";
  try {
    const { reviews } = await (await fetch("/api/page")).json();
    version = reviews.available ? reviews.version : "none";
  } catch {}
  seen.push(version);
  if (seen.length > 100) seen.shift();
  squares.replaceChildren(...seen.map((name) => Object.assign(document.createElement("i"), { className: name, title: name })));
  const counts = {};
  for (const name of seen) counts[name] = (counts[name] || 0) + 1;
  shares.textContent = "Of the last " + seen.length + ": " + Object.keys(counts).sort().map((name) => (name === "none" ? "no answer" : name) + " " + Math.round(100 * counts[name] / seen.length) + " %").join(", ");
  setTimeout(ask, 200);
}
box.addEventListener("change", ask);
`;
