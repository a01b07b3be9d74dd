/*
 * Random histories against a model: whatever the server does to its watches, and
 * whenever, a reader ends up with what the server has.
 */
import { expect } from "chai";
import fc from "fast-check";
import { eventually } from "../../test/testkit/eventually.ts";
import type { Fault } from "../../test/testkit/scripted-api-server.ts";
import { rule, truth, watchServer } from "../../test/testkit/watched-server.ts";

type Action =
	| { readonly do: "put"; readonly name: string; readonly text: string }
	| { readonly do: "remove"; readonly name: string }
	| { readonly do: "cut" | "end" | "half" | "compact" | "bookmark" | "pause" }
	| { readonly do: "error"; readonly code: number; readonly reason: string }
	| { readonly do: "fault"; readonly fault: Fault };

const name = fc.constantFrom("a", "b", "c", "d", "e");
const text = fc.string({ unit: "grapheme", maxLength: 5 });

const action: fc.Arbitrary<Action> = fc.oneof(
	{
		weight: 6,
		arbitrary: fc.record({ do: fc.constant("put" as const), name, text }),
	},
	{
		weight: 3,
		arbitrary: fc.record({ do: fc.constant("remove" as const), name }),
	},
	{
		weight: 4,
		arbitrary: fc.record({
			do: fc.constantFrom(
				"cut" as const,
				"end" as const,
				"half" as const,
				"compact" as const,
				"bookmark" as const,
				"pause" as const,
			),
		}),
	},
	fc
		.constantFrom(
			{ code: 410, reason: "Expired" },
			{ code: 500, reason: "InternalError" },
			{ code: 429, reason: "TooManyRequests" },
		)
		.map((error) => ({ do: "error" as const, ...error })),
	fc
		.constantFrom<Fault>(
			"cut",
			{ status: 410, reason: "Expired" },
			{ status: 429, headers: { "retry-after": "1" } },
			{ status: 500 },
			{ raw: "" },
		)
		.map((fault) => ({ do: "fault" as const, fault })),
);

describe("watch, over random histories", () => {
	it("ends up with what the server has", async function () {
		this.timeout(60_000);
		await fc.assert(
			fc.asyncProperty(
				fc.array(action, { minLength: 1, maxLength: 40 }),
				fc.constantFrom("yes" as const, "no" as const),
				fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
				async (actions, streams, pieceBytes) => {
					await using watched = await watchServer({
						objects: [rule("a"), rule("b")],
						streams,
						haste: 2000,
						...(pieceBytes !== undefined && { pieceBytes }),
					});
					const { server } = watched;
					for (const action of actions) {
						switch (action.do) {
							case "put":
								server.put(rule(action.name, action.text));
								break;
							case "remove":
								server.remove("RouteRule", action.name);
								break;
							case "cut":
								server.cutWatches();
								break;
							case "end":
								server.endWatches();
								break;
							case "half":
								server.writeRaw('{"type":"DELETED","object":{"metadata":{');
								server.cutWatches();
								break;
							case "compact":
								server.compact();
								break;
							case "bookmark":
								server.bookmark();
								break;
							case "error":
								server.failWatches(action.code, action.reason);
								break;
							case "fault":
								server.fault({ fault: action.fault });
								break;
							case "pause":
								await new Promise((resolve) => setTimeout(resolve, 3));
						}
					}
					await eventually(() =>
						expect(watched.heard).to.deep.equal(truth(server)),
					);
				},
			),
			{ numRuns: 60 },
		);
	});
});
