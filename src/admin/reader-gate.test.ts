import { expect } from "chai";
import type { HttpHandler, HttpRequest } from "../lib/handler.ts";
import {
	type ReaderVerdict,
	readersOnly,
	readerTokenHeader,
} from "./reader-gate.ts";

const admin: HttpHandler = async ({ path }) => ({ status: 200, body: path });

const verdicts: Readonly<Record<string, ReaderVerdict>> = {
	good: { is: "reader" },
	best: { is: "operator" },
	bad: { is: "stranger" },
	hard: { is: "unknown", why: "Ask again later." },
};

describe("readersOnly", () => {
	const checked: string[] = [];
	const gate = readersOnly(admin, async (token) => {
		checked.push(token);
		return verdicts[token] ?? { is: "stranger" };
	});
	beforeEach(() => void checked.splice(0));

	const cases = [
		{ name: "answers readers", token: "good", path: "/v1/proxies", want: 200 },
		{ name: "refuses others", token: "bad", path: "/v1/proxies", want: 403 },
		{
			name: "refuses who brings none",
			token: undefined,
			path: "/v1/proxies",
			want: 403,
		},
		{
			name: "says that it cannot know yet",
			token: "hard",
			path: "/v1/proxies",
			want: 503,
		},
		{
			name: "answers operators",
			token: "best",
			path: "/v1/log-levels",
			want: 200,
		},
		{
			name: "lets operators change",
			token: "best",
			method: "PUT",
			path: "/v1/log-levels",
			want: 200,
		},
		{
			name: "lets readers change nothing",
			token: "good",
			method: "PUT",
			path: "/v1/log-levels",
			want: 403,
		},
		{
			name: "has nothing outside of /v1/",
			token: "good",
			path: "/metrics",
			want: 404,
		},
	] as const;
	for (const { name, token, path, want, ...rest } of cases) {
		it(name, async () => {
			const answer = await gate(
				{ ...asking(path, token), ...rest },
				new AbortController().signal,
			);
			expect(answer.status).to.equal(want);
			expect(checked).to.deep.equal(token === undefined ? [] : [token]);
			if (want !== 200 && token !== undefined)
				expect(String(answer.body)).to.not.include(token);
		});
	}
});

function asking(path: string, token: string | undefined): HttpRequest {
	return {
		method: "GET",
		path,
		query: new URLSearchParams(),
		headers: new Map(token === undefined ? [] : [[readerTokenHeader, token]]),
		body: new Uint8Array(),
		peer: { address: "192.0.2.1:1", bearerToken: undefined },
	};
}
