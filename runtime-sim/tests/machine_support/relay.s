@ The guest of the machine tests. What it does in a tick is decided by the words
@ of its configuration block at 0x800 (`Guest` in mod.rs); its control region is
@ at 0x900.
@
@   arm-none-eabi-as -mcpu=cortex-m4 relay.s -o relay.o
@   arm-none-eabi-ld -Ttext 0x100 relay.o -o relay.elf
@   arm-none-eabi-objdump -d relay.elf
        .syntax unified
        .thumb
        .global _start
_start:
reset:
        ldr r0, =0xe000e100             @ interrupts of the timer and the start
        ldr r1, =0x00800001
        str r1, [r0]
        mov.w r4, #0xe2000000           @ communications controller
        mov.w r5, #0x800
        ldr r0, [r5]                    @ ring: start, end, configuration
        cbz r0, idle
        str.w r0, [r4, #0x104]
        ldr r1, [r5, #4]
        str.w r1, [r4, #0x108]
        ldr r1, [r5, #8]
        str.w r1, [r4, #0x100]
        movs r1, #1
        str.w r1, [r4, #0x13c]
idle:
        wfi
        b.n idle
start_isr:
        mov.w r0, #0xe1000000           @ timer 1
        mov.w r5, #0x800
        movs r1, #0
        str r1, [r0, #8]
        ldr r1, [r5, #44]
        str r1, [r0]
        movs r1, #0xe2
        str r1, [r0, #8]
        bx lr
tick_isr:
        stmdb sp!, {r4, r5, r6, r7, r8, lr}
        mov.w r0, #0xe1000000
        movs r1, #1
        str r1, [r0, #12]
        mov.w r4, #0xe2000000
        mov.w r5, #0x800
        mov.w r6, #0x900
        ldr r7, [r6]
        ldr r0, [r5, #36]
        cbz r0, drained
        ldr.w r1, [r4, #0x110]
        ldr r0, [r6, #4]
        ldr r2, [r6, #64]
drain:                                  @ logs (tick, word) for each word of the ring
        cmp r0, r1
        beq.n drain_end
        ldr.w r3, [r0], #4
        str.w r7, [r2], #4
        str.w r3, [r2], #4
        ldr r3, [r5, #4]
        cmp r0, r3
        it eq
        ldreq r0, [r5]
        b.n drain
drain_end:
        str r0, [r6, #4]
        str r2, [r6, #64]
        str.w r0, [r4, #0x10c]
drained:
        ldr r0, [r5, #24]
        cmp r0, r7
        bne.n no_fault
        bl wild
no_fault:
        ldr r0, [r5, #28]
        cmp r0, r7
hang:
        beq.n hang
        ldr r0, [r5, #48]
        cmp r0, r7
        bne.n no_delay
        ldr r0, [r5, #20]
delay:
        subs r0, #1
        bne.n delay
no_delay:
        ldr r0, [r5, #12]
        ldr r1, [r5, #16]
send:
        cbz r0, sent
        bl send_key
        adds r1, #1
        subs r0, #1
        b.n send
sent:
        ldr r0, [r5, #32]
        cbz r0, no_events
        ldr r2, [r6, #8]
        ldr.w r0, [r2], #4
events:
        cbz r0, events_end
        ldr r3, [r5, #52]               @ do events have payloads?
        cbz r3, plain
        ldr.w r3, [r2], #4
        str r3, [r4, #16]
plain:
        ldr.w r1, [r2], #4
        bl send_key
        subs r0, #1
        b.n events
events_end:
        str r2, [r6, #8]
no_events:
        ldr r0, [r5, #40]
        cbz r0, no_record
        ldr r2, [r6, #12]
        ldr.w r1, [r4, #0xf8]
        str.w r1, [r2], #4
        str.w r7, [r2], #4
        str.w r0, [r2], #4
        str r2, [r6, #12]
no_record:
        adds r7, #1
        str r7, [r6]
        str r7, [r6, #0x60]             @ v of the first position: ticks done
        ldmia.w sp!, {r4, r5, r6, r7, r8, pc}
send_key:
        ldr r3, [r4, #124]
        tst.w r3, #0x80000000
        beq.n send_key
        str r1, [r4, #20]
        bx lr
wild:
        ldr r0, =0x40000004
        ldr r0, [r0]
        bx lr
        .ltorg
