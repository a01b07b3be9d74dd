/** How many stars each reviewer gave. */
import { runApp } from "./app.ts";

/** What `GET /ratings/0` answers with. */
export interface Ratings {
	readonly version: string;
	readonly pod: string;
	/** 1 to 5, by reviewer. */
	readonly stars: Readonly<Record<string, number>>;
}

if (import.meta.main) {
	runApp(async ({ path }, { version, pod }) => {
		if (!path.startsWith("/ratings/")) return { status: 404, body: {} };
		const ratings: Ratings = {
			version,
			pod,
			stars: { "A keeper of lighthouses": 5, "A ship's cook": 4 },
		};
		return { body: ratings };
	});
}
