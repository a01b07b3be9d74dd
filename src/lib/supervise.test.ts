import { expect } from "chai";
import { createSupervise } from "./supervise.ts";

describe("createSupervise", () => {
	it("tells of a promise that rejects, by name", async () => {
		const failed = new Promise<[string, unknown]>((resolve) => {
			const supervise = createSupervise((name, error) =>
				resolve([name, error]),
			);
			supervise("loop", Promise.reject(new Error("lost")));
		});
		const [name, error] = await failed;
		expect(name).to.equal("loop");
		expect(error).to.be.an("error").with.property("message", "lost");
	});

	it("is silent about cancellation and success", async () => {
		const failures: string[] = [];
		const supervise = createSupervise((name) => failures.push(name));
		const cancelled = Promise.reject(AbortSignal.abort().reason);
		supervise("cancelled", cancelled);
		supervise("fine", Promise.resolve());
		await cancelled.catch(() => undefined);
		await Promise.resolve();
		expect(failures).to.deep.equal([]);
	});
});
