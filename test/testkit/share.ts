import { expect } from "chai";

/**
 * Confidence of every statistical test: 99.9999 %. A right share fails it once
 * in a million runs; the interval of 2,000 tries at 25 % is ±4.7 points.
 */
const DEVIATIONS = 4.892;

/** Expects that `hits` of `tries` independent tries are what chance `share` gives (binomial, normal approximation). */
export function expectShare(hits: number, tries: number, share: number): void {
	const spread = DEVIATIONS * Math.sqrt(tries * share * (1 - share));
	expect(hits, `${hits} of ${tries} at a share of ${share}`).to.be.within(
		tries * share - spread,
		tries * share + spread,
	);
}
