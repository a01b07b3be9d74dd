/**
 * What readers say. Version v1 shows words only; v2 and v3 ask the ratings
 * service and show black and red stars.
 */
import { CallFailed, runApp } from "./app.ts";
import type { Ratings } from "./ratings.ts";

/** What `GET /reviews/0` answers with. */
export interface Reviews {
	readonly version: string;
	readonly pod: string;
	readonly reviews: readonly {
		readonly reviewer: string;
		readonly text: string;
		readonly stars?: number;
	}[];
	/** Absent where there are no stars to show. */
	readonly ratings?:
		| {
				readonly available: true;
				readonly color: "black" | "red";
				readonly version: string;
				readonly pod: string;
		  }
		| { readonly available: false; readonly reason: string };
}

const REVIEWS = [
	{
		reviewer: "A keeper of lighthouses",
		text: "I read it aloud on watch, and the night was too short. He makes an ocean feel like a neighbour with moods.",
	},
	{
		reviewer: "A ship's cook",
		text: "Not enough about the galley, and too many flying fish for breakfast. Still, I would sign on with this man.",
	},
] as const;

if (import.meta.main) {
	runApp(async ({ path, call }, self) => {
		if (!path.startsWith("/reviews/")) return { status: 404, body: {} };
		if (self.version === "v1") {
			return { body: { ...self, reviews: REVIEWS } satisfies Reviews };
		}
		try {
			const ratings = (await call("http://ratings:9080/ratings/0")) as Ratings;
			const body: Reviews = {
				...self,
				reviews: REVIEWS.map((review) => {
					const stars = ratings.stars[review.reviewer];
					return stars === undefined ? review : { ...review, stars };
				}),
				ratings: {
					available: true,
					color: self.version === "v3" ? "red" : "black",
					version: ratings.version,
					pod: ratings.pod,
				},
			};
			return { body };
		} catch (error) {
			if (!(error instanceof CallFailed)) throw error;
			// Reviews without stars are better than no reviews.
			const body: Reviews = {
				...self,
				reviews: REVIEWS,
				ratings: { available: false, reason: error.message },
			};
			return { body };
		}
	});
}
