import { expect } from "chai";
import fc from "fast-check";
import { GrpcError, grpcStatus } from "../lib/grpc-error.ts";
import { ByteBudget } from "./byte-budget.ts";
import { FrameParser, frameBatches } from "./grpc-frame.ts";

const roomy = 1024 * 1024;

function frame(parts: readonly Uint8Array[], maxBatchBytes = 4096): Buffer {
	return Buffer.concat([...frameBatches(parts, maxBatchBytes)].flat());
}

function refusalOf(run: () => unknown): GrpcError {
	try {
		run();
	} catch (error) {
		if (error instanceof GrpcError) return error;
		throw error;
	}
	throw new Error("Nothing was refused.");
}

describe("frameBatches and FrameParser", () => {
	it("give back the same messages however the bytes are cut", () => {
		const message = fc.array(fc.uint8Array({ maxLength: 3000 }), {
			maxLength: 4,
		});
		fc.assert(
			fc.property(
				fc.array(message, { maxLength: 5 }),
				fc.integer({ min: 1, max: 5000 }),
				fc.integer({ min: 6, max: 5000 }),
				(messages, cut, batch) => {
					const wire = Buffer.concat(messages.map((m) => frame(m, batch)));
					const parser = new FrameParser(roomy, new ByteBudget(roomy));
					const got: Buffer[] = [];
					for (let at = 0; at < wire.length; at += cut) {
						parser.push(wire.subarray(at, at + cut));
						for (let m = parser.next(); m; m = parser.next()) {
							got.push(Buffer.from(m));
						}
					}
					expect(got).to.deep.equal(messages.map((m) => Buffer.concat(m)));
					expect(parser.unfinished).to.equal(false);
				},
			),
		);
	});

	it("keep every batch within its limit", () => {
		const parts = [Buffer.alloc(10), Buffer.alloc(9000), Buffer.alloc(500)];
		const sizes = [...frameBatches(parts, 4096)].map(
			(batch) => Buffer.concat(batch).length,
		);
		expect(sizes).to.deep.equal([4096, 4096, 9515 - 2 * 4096]);
	});

	it("hand on large parts without copying them", () => {
		const part = Buffer.alloc(100_000);
		const buffers = [...frameBatches([part], 256 * 1024)].flat();
		expect(buffers).to.have.length(2);
		expect(buffers[1]).to.equal(part);
	});
});

describe("FrameParser", () => {
	it("refuses a message that announces more than the limit", () => {
		const parser = new FrameParser(100, new ByteBudget(roomy));
		parser.push(frame([Buffer.alloc(101)]).subarray(0, 5));
		const refusal = refusalOf(() => parser.next());
		expect(refusal.status).to.equal(grpcStatus.resourceExhausted);
	});

	it("refuses a compressed message", () => {
		const parser = new FrameParser(100, new ByteBudget(roomy));
		parser.push(Buffer.from([1, 0, 0, 0, 1, 0]));
		const refusal = refusalOf(() => parser.next());
		expect(refusal.status).to.equal(grpcStatus.unimplemented);
	});

	it("counts the bytes of an unfinished large message, and gives them back with it", () => {
		const budget = new ByteBudget(roomy);
		const parser = new FrameParser(roomy, budget);
		const wire = frame([Buffer.alloc(200_000)]);
		parser.push(wire.subarray(0, 5));
		parser.next();
		expect(budget.taken).to.equal(0);
		parser.push(wire.subarray(5, 150_005));
		expect(budget.taken).to.equal(150_000);
		parser.push(wire.subarray(150_005));
		expect(budget.taken).to.equal(200_000);
		expect(parser.next()).to.have.length(200_000);
		expect(budget.taken).to.equal(0);
	});

	it("refuses a large message when the budget is spent, and lets small ones through", () => {
		const budget = new ByteBudget(100_000);
		const parser = new FrameParser(roomy, budget);
		parser.push(frame([Buffer.alloc(50_000)]));
		expect(parser.next()).to.have.length(50_000);
		const refusal = refusalOf(() => {
			parser.push(frame([Buffer.alloc(200_000)]));
			parser.next();
		});
		expect(refusal.status).to.equal(grpcStatus.resourceExhausted);
		parser.close();
		expect(budget.taken).to.equal(0);
	});
});

describe("ByteBudget", () => {
	it("takes nothing from the whole when the part is spent, and nothing from the part when the whole is", () => {
		const whole = new ByteBudget(10);
		const part = new ByteBudget(6, whole);
		expect(part.take(7)).to.equal(false);
		expect(whole.taken).to.equal(0);
		expect(whole.take(8)).to.equal(true);
		expect(part.take(3)).to.equal(false);
		expect(part.taken).to.equal(0);
		expect(part.take(2)).to.equal(true);
		part.release(2);
		expect(whole.taken).to.equal(8);
	});
});
