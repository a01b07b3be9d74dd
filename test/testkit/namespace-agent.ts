/**
 * The process that holds a network namespace: runs programs there for its
 * parent, and ends, and with it the namespace, when the parent is gone.
 */
import { type Programs, programs } from "./namespace-programs.ts";

/** One program to run. */
export interface AgentRequest {
	readonly id: number;
	readonly program: keyof Programs;
	readonly input: unknown;
}

/** What came of it. */
export type AgentAnswer =
	| { readonly id: number; readonly value: unknown }
	| { readonly id: number; readonly error: string };

process.on("message", (request: AgentRequest) => {
	void answer(request).then((message) => process.send?.(message));
});
process.on("disconnect", () => process.exit());

async function answer(request: AgentRequest): Promise<AgentAnswer> {
	const { id, program, input } = request;
	try {
		const run = programs[program] as (input: unknown) => Promise<unknown>;
		return { id, value: await run(input) };
	} catch (error) {
		return { id, error: error instanceof Error ? error.message : `${error}` };
	}
}
