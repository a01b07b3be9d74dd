/** What is printed in the book. */
import { runApp } from "./app.ts";

/** What `GET /details/0` answers with. */
export interface Details {
	readonly version: string;
	readonly pod: string;
	readonly title: string;
	readonly author: string;
	readonly year: number;
	readonly publisher: string;
	readonly language: string;
	readonly summary: string;
}

if (import.meta.main) {
	runApp(async ({ path }, { version, pod }) => {
		if (!path.startsWith("/details/")) return { status: 404, body: {} };
		const details: Details = {
			version,
			pod,
			title: "Sailing Alone Around the World",
			author: "Joshua Slocum",
			year: 1900,
			publisher: "The Century Company",
			language: "English",
			summary:
				"The captain of the Spray, a sloop he had rebuilt himself, tells of the first voyage around the world by one man alone: three years, forty-six thousand miles, and a tin clock.",
		};
		return { body: details };
	});
}
