import { expect } from "chai";
import { parseDuration } from "./duration.ts";

describe("parseDuration", () => {
	const cases = [
		{ name: "reads seconds", text: "3s", want: 3000 },
		{ name: "reads milliseconds", text: "100ms", want: 100 },
		{ name: "reads several units", text: "1m30s", want: 90_000 },
		{ name: "reads hours", text: "2h", want: 7_200_000 },
		{ name: "reads fractions", text: "0.5s", want: 500 },
		{ name: "adds fractions exactly", text: "0.1s0.2s", want: 300 },
		{ name: "reads 0 with a unit", text: "0s", want: 0 },
		{ name: "reads 0 without a unit", text: "0", want: 0 },
		{ name: "refuses a number without a unit", text: "5", want: undefined },
		{ name: "refuses a negative one", text: "-1s", want: undefined },
		{ name: "refuses spaces", text: "1 s", want: undefined },
		{ name: "refuses an unknown unit", text: "1d", want: undefined },
		{ name: "refuses an empty text", text: "", want: undefined },
		{ name: "refuses a lone dot", text: ".5s", want: undefined },
	] as const;
	for (const { name, text, want } of cases) {
		it(name, () => expect(parseDuration(text)).to.equal(want));
	}
});
