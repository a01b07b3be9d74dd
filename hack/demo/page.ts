import type { Page } from "../../samples/bookinfo/apps/page.ts";

/** Asks for the product page as JSON, as a user or as nobody. Throws when the answer is not 200. */
export async function readPage(url: string, user = ""): Promise<Page> {
	const response = await fetch(new URL("/api/page", url), {
		headers: user === "" ? {} : { cookie: `user=${user}` },
		signal: AbortSignal.timeout(10_000),
	});
	if (!response.ok) {
		throw new Error(
			`${url} answered ${response.status}: ${(await response.text()).trim().slice(0, 200)}`,
		);
	}
	return (await response.json()) as Page;
}

/** Which version of reviews answered how often; `none` where no page or no reviews came. */
export async function countVersions(
	url: string,
	requests: number,
	user = "",
): Promise<ReadonlyMap<string, number>> {
	const counts = new Map<string, number>();
	let left = requests;
	const ask = async (): Promise<void> => {
		while (left-- > 0) {
			const version = await readPage(url, user).then(
				({ reviews }) => (reviews.available ? reviews.version : "none"),
				() => "none",
			);
			counts.set(version, (counts.get(version) ?? 0) + 1);
		}
	};
	await Promise.all(Array.from({ length: 4 }, ask));
	return new Map([...counts].sort());
}

/** `v1 301 (75 %), v3 99 (25 %)`. */
export function printCounts(counts: ReadonlyMap<string, number>): string {
	const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
	return [...counts]
		.map(
			([version, count]) =>
				`${version === "none" ? "no answer" : version} ${count} (${((100 * count) / total).toFixed(0)} %)`,
		)
		.join(", ");
}
